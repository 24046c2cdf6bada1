"""What trains a trial, and which engine trains what."""

from __future__ import annotations

from bnbench.data import Dataset
from bnbench.errors import SpecError
from bnbench.specs import EngineName, StudySpec
from bnbench.training.engines.interface import Engine
from bnbench.training.engines.native import NORMALIZATIONS, NativeEngine, supports_variant
from bnbench.training.engines.reference import ReferenceEngine


def resolve_engines(study: StudySpec) -> dict[str, EngineName]:
    """Choose the engine that trains on each of a study's devices.

    One engine trains all variants on a device, so that no comparison mixes engines.

    Raises:
        SpecError: the study asks for the native engine where it cannot train.
    """
    unsupported = [v.name for v in study.variants if not supports_variant(v)]
    engines: dict[str, EngineName] = {}
    for device in study.devices:
        if study.engine == "reference":
            engines[device] = "reference"
        elif device == "cpu" and not unsupported:
            engines[device] = "native"
        elif study.engine == "auto":
            engines[device] = "reference"
        else:
            found = f"device {device}" if device != "cpu" else f"variant {unsupported[0]}"
            raise SpecError(
                f"engine: expected, for native, the CPU and normalization "
                f"{' or '.join(NORMALIZATIONS)}, got {found}; use --engine reference"
            )
    return engines


def make_engine(name: EngineName, dataset: Dataset, threads: int) -> Engine:
    """Make the engine of that name for a data set; `threads` is what the machine gives it."""
    if name == "native":
        return NativeEngine(dataset, threads)
    return ReferenceEngine(dataset)
