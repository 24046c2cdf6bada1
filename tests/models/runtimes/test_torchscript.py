import dataclasses
import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.models.exported_model import read_model
from bnbench.models.runtimes import open_runtime
from tests.conftest import BATCHNORM
from tests.models.conftest import Exporter, evaluate


def test_the_file_gives_the_eager_networks_logits_within_rounding(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = export(BATCHNORM)
    expected = evaluate("eager", model, images)
    assert np.allclose(evaluate("torchscript", model, images), expected, rtol=0, atol=1e-5)


def test_a_file_saved_in_training_mode_is_evaluated_as_it_was_saved(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = read_model(export(BATCHNORM))
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.load(io.BytesIO(model.content)).train(), buffer)
    training = dataclasses.replace(model, content=buffer.getvalue())
    # The eager runtime assumes evaluation mode; this one must show the difference.
    logits, expected = (
        next(open_runtime(name, Path()).evaluate([training], images)).logits
        for name in ("torchscript", "eager")
    )
    assert np.abs(np.subtract(logits, expected)).max() > 1e-2


def test_what_torch_cannot_load_is_refused_by_the_files_name(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = read_model(export(BATCHNORM))
    damaged = dataclasses.replace(model, content=model.content[:1000])
    (evaluation,) = open_runtime("torchscript", Path()).evaluate([damaged], images)
    assert evaluation.status == "unusable"
    assert "batchnorm-seed0-cpu.pt: expected a TorchScript file" in str(evaluation.reason)
