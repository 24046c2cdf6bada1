import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from bnbench.errors import RuntimeUnavailableError, SpecError
from bnbench.models.runtimes import (
    DEFAULT_RUNTIMES,
    RUNTIMES,
    RuntimeEntry,
    choose_runtimes,
    open_runtime,
)


def test_nothing_chosen_means_the_default_and_all_means_all() -> None:
    assert choose_runtimes(None) == DEFAULT_RUNTIMES
    assert choose_runtimes("all") == tuple(RUNTIMES)


def test_names_are_taken_once_in_their_order() -> None:
    assert choose_runtimes(" float64, eager,float64,") == ("float64", "eager")


@pytest.mark.parametrize(("text", "found"), [("eager,tflite", "'tflite'"), (" , ", "' , '")])
def test_an_unknown_name_is_refused_with_those_there_are(text: str, found: str) -> None:
    required = ", ".join(RUNTIMES)
    with pytest.raises(SpecError, match=f"^runtimes: .* some of {required}, got {found}$"):
        choose_runtimes(text)


def test_a_runtime_whose_packages_are_missing_names_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = RuntimeEntry("bnbench.models.runtimes.eager", ("no_such_package",), "pip install such")
    monkeypatch.setitem(RUNTIMES, "fancy", entry)
    with pytest.raises(RuntimeUnavailableError, match="^fancy: not installed; pip install such"):
        open_runtime("fancy", [], Path())


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_has_its_module_and_says_how_to_install_what_it_needs(name: str) -> None:
    entry = RUNTIMES[name]
    assert importlib.util.find_spec(entry.module) is not None
    assert bool(entry.packages) == bool(entry.install)


@pytest.mark.parametrize("name", DEFAULT_RUNTIMES)
def test_a_default_runtime_needs_no_extra(name: str) -> None:
    assert RUNTIMES[name].packages == ()


def test_listing_runtimes_imports_none_of_their_packages() -> None:
    code = (
        "import sys; from bnbench.models.runtimes import RUNTIMES, choose_runtimes"
        "; choose_runtimes('all')"
        "; [entry.is_installed for entry in RUNTIMES.values()]"
        "; print({'torch', 'onnx', 'onnxruntime'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr
