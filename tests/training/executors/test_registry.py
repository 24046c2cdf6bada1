import dataclasses
import importlib.util

import pytest

from bnbench.errors import SpecError
from bnbench.training.catalog import STUDIES
from bnbench.training.executors import DEFAULT_EXECUTOR, check_executor

STUDY = STUDIES["notebook"]


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_by_default_trials_run_here_and_ray_is_not_needed(without_ray: None) -> None:
    check_executor(DEFAULT_EXECUTOR, None, STUDY)
    assert DEFAULT_EXECUTOR == "in-process"


def test_a_device_that_this_machine_lacks_is_named() -> None:
    study = dataclasses.replace(STUDY, devices=("cuda:9",))
    with pytest.raises(SpecError, match="expected devices of this machine .* got 'cuda:9'"):
        check_executor("in-process", None, study)


def test_missing_ray_is_reported_with_the_command_that_installs_it(without_ray: None) -> None:
    with pytest.raises(SpecError, match=r"pip install 'bnbench\[ray\]'"):
        check_executor("ray", None, STUDY)


def test_an_address_without_ray_is_refused() -> None:
    with pytest.raises(SpecError, match="address: expected --executor ray with it, got in-proc"):
        check_executor("in-process", "auto", STUDY)


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_ray_chooses_the_gpu_so_that_none_can_be_named(device: str) -> None:
    study = dataclasses.replace(STUDY, devices=("cpu", device), engine="reference")
    with pytest.raises(SpecError, match=f"expected cpu or cuda, .* got '{device}'"):
        check_executor("ray", None, study)
