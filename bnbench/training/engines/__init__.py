"""The engines in one table, and the choice of an engine for each device of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bnbench.data import Dataset
from bnbench.errors import SpecError
from bnbench.machine import count_cores
from bnbench.specs import REFERENCE_ENGINE, EngineName, StudySpec
from bnbench.training.engines.interface import Engine
from bnbench.training.engines.native import NativeEngine
from bnbench.training.engines.reference import ReferenceEngine


@dataclass(frozen=True)
class EngineSpec:
    """An engine: how to make it, and where and what it trains."""

    make: Callable[[Dataset, int], Engine]
    """Makes the engine for a data set and a number of CPU threads."""
    trains_many: bool
    """Whether it trains several trials at once, each on one thread."""
    devices: tuple[str, ...] | None = None
    """Devices on which it trains; None stands for all."""
    find_obstacle: Callable[[StudySpec], str | None] = lambda _study: None
    """Names what of a study it does not train; None if it trains all."""


def _find_own_code(study: StudySpec) -> str | None:
    names = ", ".join(code.label for code in study.own_codes)
    return f"own networks and optimizers ({names})" if names else None


ENGINES: dict[EngineName, EngineSpec] = {
    "native": EngineSpec(
        NativeEngine, trains_many=True, devices=("cpu",), find_obstacle=_find_own_code
    ),
    "reference": EngineSpec(ReferenceEngine, trains_many=False),
}
"""Each engine by its name, the fastest first."""


def resolve_engines(study: StudySpec) -> dict[str, EngineName]:
    """Choose the engine that trains on each of a study's devices.

    One engine trains all variants on a device, so that no comparison mixes engines.

    Raises:
        SpecError: the study names an engine that does not train on one of its devices, or does not
            train one of its variants.
    """
    return {device: _resolve_engine(study, device) for device in study.devices}


def _resolve_engine(study: StudySpec, device: str) -> EngineName:
    for name, engine in ENGINES.items():
        if study.engine not in ("auto", name):
            continue
        is_on_device = engine.devices is None or device in engine.devices
        obstacle = engine.find_obstacle(study)
        if is_on_device and obstacle is None:
            return name
        if study.engine == name and is_on_device:
            raise SpecError(
                f"engine: expected another one for {obstacle}, got {name}; use --engine "
                f"{REFERENCE_ENGINE}"
            )
        if study.engine == name and engine.devices is not None:
            raise SpecError(
                f"engine: expected, for {name}, the device {' or '.join(engine.devices)}, "
                f"got {device}; use --engine {REFERENCE_ENGINE}"
            )
    raise AssertionError("the reference engine trains on every device")


def explain_engines(study: StudySpec) -> str:
    """Say what faster engines leave to the one that trains; empty if they leave nothing."""
    if study.engine != "auto":
        return ""
    left = {name: engine.find_obstacle(study) for name, engine in ENGINES.items()}
    return "; ".join(
        f"the {name} engine leaves {obstacle} to it"
        for name, obstacle in left.items()
        if obstacle is not None
    )


def make_engine(name: EngineName, dataset: Dataset, threads: int | None = None) -> Engine:
    """Make an engine by its name for a data set.

    Args:
        name: a key of `ENGINES`.
        dataset: what is trained on and evaluated with.
        threads: CPU threads it uses, at least 1; None takes those of `choose_threads`.
    """
    return ENGINES[name].make(dataset, choose_threads(name, threads))


def choose_threads(name: EngineName, threads: int | None = None) -> int:
    """Choose an engine's CPU threads: as many as asked for, else what is fastest.

    An engine that trains many trials at once takes all cores. Any other takes one: on networks
    this small, a second thread saves no time, and where another program computes beside it, the
    two mostly wait for each other. Larger networks, such as convolutions, may gain from more:
    ``--threads`` says so. A rule by the number of parameters or products needs the time per epoch
    of the reference engine on 1, 2 and 4 threads for networks from 50,000 to 50 million products
    per input, on a quiet machine; the notebook's networks must stay at one.
    """
    return threads or (count_cores() if ENGINES[name].trains_many else 1)
