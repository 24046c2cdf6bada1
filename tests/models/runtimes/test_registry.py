import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.errors import RuntimeUnavailableError, SpecError
from bnbench.models.certificate import Certificate
from bnbench.models.exported_model import read_model
from bnbench.models.runtimes import (
    DEFAULT_RUNTIMES,
    RUNTIMES,
    RuntimeEntry,
    choose_runtimes,
    open_runtime,
)
from bnbench.models.runtimes.aotinductor import AOTInductorRuntime
from bnbench.specs import VariantSpec
from tests.conftest import BASELINE, BATCHNORM
from tests.models.conftest import Exporter, evaluate
from tests.models.evaluators import certify_images


def test_nothing_chosen_means_the_default_and_all_means_all() -> None:
    assert choose_runtimes(None) == DEFAULT_RUNTIMES
    assert choose_runtimes("all") == tuple(RUNTIMES)


def test_names_are_taken_once_in_their_order() -> None:
    assert choose_runtimes(" libtorch, eager,libtorch,") == ("libtorch", "eager")


@pytest.mark.parametrize(("text", "found"), [("eager,tflite", "'tflite'"), (" , ", "' , '")])
def test_an_unknown_name_is_refused_with_those_there_are(text: str, found: str) -> None:
    required = ", ".join(RUNTIMES)
    with pytest.raises(SpecError, match=f"^runtimes: .* some of {required}, got {found}$"):
        choose_runtimes(text)


def test_asking_for_the_reference_says_that_it_is_no_runtime() -> None:
    with pytest.raises(SpecError, match="got 'float64', the reference that every runtime is"):
        choose_runtimes("eager,float64")


def test_a_runtime_whose_packages_are_missing_names_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = RuntimeEntry(
        "bnbench.models.runtimes.eager", "EagerRuntime", ("no_such_package",), "pip install such"
    )
    monkeypatch.setitem(RUNTIMES, "fancy", entry)
    with pytest.raises(
        RuntimeUnavailableError,
        match="^fancy: expected its packages, got none installed; run: pip install such",
    ):
        open_runtime("fancy", Path())


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


# The C++ programs see what is on disk: test_bnbench_eval.py and test_portable.py run them.
NAMES = [name for name in RUNTIMES if name not in ("libtorch", "portable", "aotinductor")]


def check(logits: NDArray[np.floating], certificate: Certificate) -> None:
    difference = np.abs(logits.astype(np.float64) - certificate.logits)
    assert (difference <= certificate.logit_bounds).all()
    certified = certificate.certified
    assert certified.mean() > 0.9
    assert (logits.argmax(axis=1) == certificate.predictions)[certified].all()


@pytest.mark.parametrize("variant", [BASELINE, BATCHNORM], ids=lambda v: v.name)
@pytest.mark.parametrize("name", NAMES)
def test_a_runtime_stays_within_the_certificates_bounds(
    name: str, variant: VariantSpec, export: Exporter, images: NDArray[np.uint8]
) -> None:
    for package in RUNTIMES[name].packages:
        pytest.importorskip(package)
    model = export(variant, 3)
    certificate = certify_images(read_model(model).network, images)
    assert isinstance(certificate, Certificate)
    check(evaluate(name, model, images), certificate)


@pytest.mark.slow
def test_compiled_code_stays_within_the_certificates_bounds(
    compiled: AOTInductorRuntime, export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = read_model(export(BATCHNORM, 3))
    certificate = certify_images(model.network, images)
    assert isinstance(certificate, Certificate)
    check(compiled.evaluate_model(model, images), certificate)
