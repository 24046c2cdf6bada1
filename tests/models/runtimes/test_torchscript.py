import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.runtimes import open_runtime
from tests.conftest import BATCHNORM
from tests.models.conftest import Exporter


def evaluate(runtime: str, model: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(open_runtime(runtime, [model], Path()).load(model).logits(images))


def test_the_file_gives_the_eager_networks_logits_within_rounding(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = export(BATCHNORM)
    expected = evaluate("eager", model, images)
    assert np.allclose(evaluate("torchscript", model, images), expected, rtol=0, atol=1e-5)


def test_a_file_saved_in_training_mode_is_evaluated_as_it_was_saved(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = export(BATCHNORM)
    scripted = torch.jit.load(io.BytesIO(model.read_bytes()))
    torch.jit.save(scripted.train(), str(model))
    # Another runtime takes evaluation mode for granted; this one must show the difference.
    difference = evaluate("torchscript", model, images) - evaluate("eager", model, images)
    assert np.abs(difference).max() > 1e-2


def test_what_torch_cannot_load_is_refused_by_the_files_name(export: Exporter) -> None:
    model = export(BATCHNORM)
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(RunError, match=r"batchnorm-seed0-cpu\.pt: expected a TorchScript file"):
        open_runtime("torchscript", [model], Path()).load(model)
