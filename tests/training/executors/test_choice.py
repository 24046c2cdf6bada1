import dataclasses
import importlib.util

import pytest

from bnbench.errors import SpecError
from bnbench.training.catalog import STUDIES
from bnbench.training.executors.choice import ExecutorChoice

STUDY = STUDIES["notebook"]


def test_by_default_trials_run_here_and_nothing_is_asked_of_ray(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ExecutorChoice().check(STUDY)
    assert ExecutorChoice().options == ""


def test_ray_that_is_not_installed_is_told_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"pip install 'bnbench\[ray\]'"):
        ExecutorChoice("ray").check(STUDY)


def test_an_address_without_ray_is_refused() -> None:
    with pytest.raises(SpecError, match="address: expected --executor ray with it, got in-proc"):
        ExecutorChoice("in-process", "auto").check(STUDY)


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_ray_chooses_the_gpu_so_that_none_can_be_named(device: str) -> None:
    study = dataclasses.replace(STUDY, devices=("cpu", device), engine="reference")
    with pytest.raises(SpecError, match=f"expected cpu or cuda, .* got '{device}'"):
        ExecutorChoice("ray").check(study)


def test_how_to_go_on_names_the_same_cluster() -> None:
    assert ExecutorChoice("ray").options == " --executor ray"
    assert ExecutorChoice("ray", "a:6379").options == " --executor ray --address a:6379"
