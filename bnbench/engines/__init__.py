"""What trains a trial, and which engine trains what."""

from __future__ import annotations

from bnbench.data import Dataset
from bnbench.engines.interface import Engine
from bnbench.engines.reference import ReferenceEngine
from bnbench.specs import EngineName, StudySpec


def resolve_engines(study: StudySpec) -> dict[str, EngineName]:
    """Choose the engine that trains on each of a study's devices.

    One engine trains all variants on a device, so that no comparison mixes engines.
    """
    return dict.fromkeys(study.devices, "reference")


def make_engine(name: EngineName, dataset: Dataset, threads: int) -> Engine:
    """Make the engine of that name for a data set; `threads` is what the machine gives it."""
    return ReferenceEngine(dataset)
