"""A trained network into a TorchScript file and the manifest that proves what it is."""

from __future__ import annotations

import functools
import hashlib
import io
import warnings
from pathlib import Path

import torch

import bnbench
from bnbench.data import LabeledInputs
from bnbench.files import replace_file
from bnbench.models.expectation import describe_results
from bnbench.models.exported_model import name_manifest, name_model_file
from bnbench.models.manifest import (
    DataDescription,
    InputDescription,
    Manifest,
    ModelFile,
    NetworkDescription,
    OutputDescription,
    describe_tensor,
    make_manifest,
)
from bnbench.models.preprocessing import Step
from bnbench.models.torch_network import compute_logits
from bnbench.networks import build_network
from bnbench.records import TrialRecord
from bnbench.specs import FASHION_MNIST_SHAPE, DataShape, VariantSpec


def write_model_files(files: dict[str, bytes], folder: Path) -> Path:
    """Write what `make_model_files` made, in its order; the path of the ``.pt`` file."""
    for name, content in files.items():
        replace_file(folder / name, content)
    return folder / next(iter(files))


def make_model_files(
    record: TrialRecord,
    state: dict[str, torch.Tensor],
    dataset_name: str,
    test: LabeledInputs,
    shape: DataShape = FASHION_MNIST_SHAPE,
) -> dict[str, bytes]:
    """Make a trained network's ``<trial>.pt`` and its manifest ``<trial>.json``.

    What the model must score is computed from the eager network, not from the exported file.

    Args:
        record: the finished trial.
        state: its network's ``state_dict``, on the CPU.
        dataset_name: the data set's name in the manifest.
        test: the images whose predictions the manifest holds.
        shape: inputs and classes of the data set.

    Returns:
        Both files' bytes by name; the manifest is last, so a model with one is complete.
    """
    trial = record.trial
    network = build_network(trial.variant, shape)
    network.load_state_dict(state)
    network.eval()
    logits = compute_logits(network, test.inputs)
    content = serialize_torchscript(trial.variant, state, shape)
    name = name_model_file(trial)
    manifest = Manifest(
        model=ModelFile(
            name,
            hashlib.sha256(content).hexdigest(),
            len(content),
            is_traced=isinstance(
                script_network(trial.variant, shape), torch.jit._trace.TracedModule
            ),
        ),
        input=describe_images(test.inputs),
        output=OutputDescription("logits", logits.shape[1]),
        data=DataDescription(dataset_name, test.inputs_sha256, test.labels_sha256),
        variant=trial.variant,
        recipe=trial.recipe,
        seed=trial.seed,
        device=trial.device,
        engine=trial.engine,
        versions={"bnbench": bnbench.__version__, "torch": torch.__version__},
        network=NetworkDescription(
            tensors={key: describe_tensor(value.cpu().numpy()) for key, value in state.items()},
            constants={
                f"{key}.eps": module.eps
                for key, module in network.named_modules()
                # Of an own network only tensors are read again.
                if hasattr(module, "eps") and trial.variant.own_code is None
            },
            training=tuple(key for key, module in network.named_modules() if module.training),
        ),
        expected=describe_results(logits.numpy(), "logits", test.labels.numpy()),
    )
    return {name: content, name_manifest(Path(name)).name: make_manifest(manifest)}


def describe_images(inputs: torch.Tensor) -> InputDescription:
    """What a data file holds per input, and how the networks of bnbench want it.

    Args:
        inputs: shape (num_inputs, ...); bytes are divided by 255, and an image of rows and columns
            gets its one channel.
    """
    shape = tuple(inputs.shape[1:])
    steps = [Step("divide", by=255.0)] if inputs.dtype == torch.uint8 else []
    if len(shape) == 2:
        steps.append(Step("reshape", shape=(1, *shape)))
    return InputDescription(shape, str(inputs.dtype).removeprefix("torch."), tuple(steps))


def serialize_torchscript(
    variant: VariantSpec, state: dict[str, torch.Tensor], shape: DataShape = FASHION_MNIST_SHAPE
) -> bytes:
    """The bytes of a variant's TorchScript file with the given weights, in evaluation mode.

    They are made in memory: what ``torch.jit.save`` writes depends on the file's name.
    """
    with warnings.catch_warnings():
        # torch announces that torch.export will replace TorchScript one day; the C++ side reads
        # TorchScript.
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated")
        scripted = script_network(variant, shape)
        scripted.load_state_dict(state)
        buffer = io.BytesIO()
        torch.jit.save(scripted, buffer)
    return buffer.getvalue()


@functools.cache
def script_network(variant: VariantSpec, shape: DataShape) -> torch.jit.ScriptModule:
    """Compile a variant once, in evaluation mode; its weights are loaded anew for every export.

    An own network that TorchScript can't compile is traced: what it does with one batch is kept.
    """
    network = build_network(variant, shape).eval()
    with warnings.catch_warnings():
        # The announcement as above, and advice on tracing: `own_check` compares the outputs.
        warnings.simplefilter("ignore")
        try:
            module: torch.jit.ScriptModule = torch.jit.script(network)
        except Exception:  # the compiler has errors of many kinds
            if variant.own_code is None:
                raise
            example = torch.zeros(2, *shape.input_shape)
            module = torch.jit.trace(network, example, check_trace=False)
    return module
