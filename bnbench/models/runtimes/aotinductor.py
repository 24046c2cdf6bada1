"""The aotinductor runtime: the network compiled ahead of time to machine code by torch."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch._inductor import aoti_compile_and_package, aoti_load_package
from torch._inductor.utils import fresh_cache

from bnbench.errors import RunError, RuntimeUnavailableError
from bnbench.models.runtimes.eager import TorchModel, collect_weights, read_variant, rebuild_network
from bnbench.networks import build_network
from bnbench.specs import VariantSpec

_OPTIONS = {
    # The package then has no weights of its own, so that none but the file's can be evaluated.
    "aot_inductor.package_constants_in_so": False,
    # Vectors of up to eight values would otherwise become numbers in the code.
    "always_keep_tensor_constants": True,
    # What is computed from weights alone must not be computed when compiling: the weights come
    # later. Both are the default, which an environment variable can change.
    "freezing": False,
    "aot_inductor.use_runtime_constant_folding": False,
    # A pool of processes gains nothing for one network.
    "compile_threads": 1,
}
# What torch's loggers would tell of things that are as they should be.
_NOTICES = {
    "torch.utils.cpp_extension": "No CUDA runtime is found",  # it compiles for the CPU
    "torch._inductor.utils": "temporary cache dir kept",  # it goes with the runtime's folder
}


def compile_variant(variant: VariantSpec, package: Path) -> None:
    """Compile a variant, any number of images a call, into a ``.pt2`` file without weights.

    Takes tens of seconds.

    Raises:
        RuntimeUnavailableError: there is no C++ compiler, or it fails.
    """
    try:
        with torch.no_grad():
            program = torch.export.export(
                build_network(variant).eval(),
                (torch.zeros(2, 1, 28, 28),),
                dynamic_shapes=({0: torch.export.Dim("num_images")},),
            )
            aoti_compile_and_package(program, package_path=str(package), inductor_configs=_OPTIONS)
    except Exception as error:
        # Export, code generation and compiler each have errors of their own.
        (reason, *_) = str(error).strip().splitlines() or [repr(error)]
        raise RuntimeUnavailableError(
            "aotinductor: expected a C++ compiler (g++, or what the variable CXX names) that "
            f"compiles the variant {variant.name!r}, got: {reason}"
        ) from error


def load_package(package: Path, weights: Mapping[str, torch.Tensor]) -> TorchModel:
    """Load a compiled network and give it its weights.

    Args:
        package: as `compile_variant` writes it.
        weights: of the same variant, so that the shapes are right: torch checks names alone.

    Raises:
        RunError: the names are not those of the compiled network.
    """
    network = aoti_load_package(str(package))
    required = set(network.get_constant_fqns())
    if required != set(weights):
        raise RunError(
            f"expected weights of the compiled network's names, got {sorted(weights)} where it "
            f"has {sorted(required)}"
        )
    network.load_constants(dict(weights), check_full_update=True)
    return TorchModel(network)


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name, text in _NOTICES.items():

            def is_other(record: logging.LogRecord, text: str = text) -> bool:
                return text not in record.getMessage()

            logger = logging.getLogger(name)
            logger.addFilter(is_other)
            stack.callback(logger.removeFilter, is_other)
        yield


class AOTInductorRuntime:
    """Compiles each variant once; a model is its variant's code with its own weights."""

    name = "aotinductor"
    version = f"torch {torch.__version__}"

    def __init__(self, models: Sequence[Path]) -> None:
        """Compile the variants of `models`, into a folder that goes with the runtime.

        Raises:
            RuntimeUnavailableError: there is no C++ compiler, or it fails.
            RunError: a model's manifest can't be read.
        """
        variants = dict.fromkeys(map(read_variant, models))
        folder = Path(tempfile.mkdtemp(prefix="bnbench-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.packages = {
            variant: folder / f"{number}.pt2" for number, variant in enumerate(variants)
        }
        with _without_notices(), fresh_cache(dir=str(folder)):
            for variant, package in self.packages.items():
                compile_variant(variant, package)

    def load(self, model: Path) -> TorchModel:
        """See `Runtime`."""
        weights = collect_weights(rebuild_network(model))
        return load_package(self.packages[read_variant(model)], weights)


def open_runtime(models: Sequence[Path], data_folder: Path) -> AOTInductorRuntime:  # noqa: ARG001
    """See `bnbench.models.runtimes`."""
    return AOTInductorRuntime(models)
