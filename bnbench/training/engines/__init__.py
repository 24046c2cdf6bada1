"""The engines in one table, and the choice of an engine for each device of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bnbench.data import Dataset
from bnbench.errors import SpecError
from bnbench.specs import REFERENCE_ENGINE, EngineName, StudySpec, VariantSpec
from bnbench.training.engines import native
from bnbench.training.engines.interface import Engine
from bnbench.training.engines.native import NativeEngine
from bnbench.training.engines.reference import ReferenceEngine


@dataclass(frozen=True)
class EngineSpec:
    """An engine: how to make it, and what it can train."""

    make: Callable[[Dataset, int], Engine]
    """Makes the engine for a data set and a number of CPU threads."""
    trains_many: bool
    """Whether it trains several trials at once, each on one thread."""
    requirement: str = "nothing"
    """Variants and devices that it can train, for error texts."""
    find_obstacle: Callable[[VariantSpec, str], str | None] = lambda _variant, _device: None
    """Names the device or variant that it cannot train; None if it can train both."""


ENGINES: dict[EngineName, EngineSpec] = {
    "native": EngineSpec(
        NativeEngine,
        trains_many=True,
        requirement=native.REQUIREMENT,
        find_obstacle=native.find_obstacle,
    ),
    "reference": EngineSpec(lambda dataset, _threads: ReferenceEngine(dataset), trains_many=False),
}
"""Each engine by its name, the fastest first."""


def resolve_engines(study: StudySpec) -> dict[str, EngineName]:
    """Choose the engine that trains on each of a study's devices.

    One engine trains all variants on a device, so that no comparison mixes engines.

    Raises:
        SpecError: the study names an engine that cannot train one of its variants.
    """
    return {device: _resolve_engine(study, device) for device in study.devices}


def _resolve_engine(study: StudySpec, device: str) -> EngineName:
    for name, engine in ENGINES.items():
        if study.engine not in ("auto", name):
            continue
        obstacles = [engine.find_obstacle(variant, device) for variant in study.variants]
        obstacle = next(filter(None, obstacles), None)
        if obstacle is None:
            return name
        if study.engine == name:
            raise SpecError(
                f"engine: expected, for {name}, {engine.requirement}, got {obstacle}; "
                f"use --engine {REFERENCE_ENGINE}"
            )
    raise AssertionError("the reference engine trains every variant on every device")


def make_engine(name: EngineName, dataset: Dataset, threads: int) -> Engine:
    """Make an engine by its name for a data set.

    Args:
        name: a key of `ENGINES`.
        dataset: images to train on and to evaluate with.
        threads: CPU threads it may use, at least 1.
    """
    return ENGINES[name].make(dataset, threads)
