"""The aotinductor runtime: the network compiled ahead of time to machine code by torch."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch._inductor import aoti_compile_and_package, aoti_load_package
from torch._inductor.utils import fresh_cache

from bnbench.errors import RuntimeUnavailableError
from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import Runtime
from bnbench.models.torch_network import collect_weights, compute_logits, rebuild_network
from bnbench.networks import build_network
from bnbench.specs import FASHION_MNIST_SHAPE, DataShape, VariantSpec

_OPTIONS = {
    # The package holds no weights, so only the file's can be evaluated.
    "aot_inductor.package_constants_in_so": False,
    # Otherwise vectors of up to eight values become numbers in the code.
    "always_keep_tensor_constants": True,
    # Nothing may be computed from the weights when compiling: the real weights come later. Both
    # are the default, which an environment variable can change.
    "freezing": False,
    "aot_inductor.use_runtime_constant_folding": False,
    # One network compiles no faster in several processes.
    "compile_threads": 1,
}


def load_package(
    package: Path, weights: Mapping[str, torch.Tensor]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Load what `AOTInductorRuntime.get_package` made, with weights of the same variant."""
    network = aoti_load_package(str(package))
    network.load_constants(dict(weights), check_full_update=True)
    loaded: Callable[[torch.Tensor], torch.Tensor] = network
    return loaded


class AOTInductorRuntime(Runtime):
    """Compiles each variant once; a model is its variant's code with its own weights."""

    name = "aotinductor"
    version = f"torch {torch.__version__}"

    def __init__(self, data_folder: Path) -> None:  # noqa: ARG002 - it is given the images
        """Make a folder for compiled variants, which is removed with the runtime."""
        self._folder = Path(tempfile.mkdtemp(prefix="bnbench-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._packages: dict[tuple[VariantSpec, DataShape], Path] = {}

    def get_package(self, variant: VariantSpec, shape: DataShape = FASHION_MNIST_SHAPE) -> Path:
        """The compiled variant: a ``.pt2`` file without weights, for any number of images per call.

        The first call for a variant compiles it, which takes tens of seconds.

        Raises:
            RuntimeUnavailableError: there is no C++ compiler, or it fails.
        """
        key = variant, shape
        if key in self._packages:
            return self._packages[key]
        package = self._folder / f"{len(self._packages)}.pt2"
        # torch warns of what is normal here: no CUDA, and a cache in the runtime's own folder.
        logging.disable(logging.WARNING)
        try:
            with torch.no_grad(), fresh_cache(dir=str(self._folder)):
                program = torch.export.export(
                    build_network(variant, shape).eval(),
                    (torch.zeros(2, *shape.input_shape),),
                    dynamic_shapes=({0: torch.export.Dim("num_images")},),
                )
                aoti_compile_and_package(
                    program, package_path=str(package), inductor_configs=_OPTIONS
                )
        except Exception as error:
            # Export, code generation and compiler each have errors of their own.
            (reason, *_) = str(error).strip().splitlines() or [repr(error)]
            raise RuntimeUnavailableError(
                "aotinductor: expected a C++ compiler (g++, or what the variable CXX names) that "
                f"compiles the variant {variant.name!r}, got: {reason}"
            ) from error
        finally:
            logging.disable(logging.NOTSET)
        self._packages[key] = package
        return package

    def evaluate_model(
        self, model: ExportedModel, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """See `Runtime`."""
        weights = collect_weights(rebuild_network(model))
        return compute_logits(
            load_package(self.get_package(model.manifest.get_variant(), model.shape), weights),
            torch.tensor(images),
        ).numpy()
