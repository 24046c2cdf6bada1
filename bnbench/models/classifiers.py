"""Classifiers of any format, wherever they were trained: opened by torch or ONNX Runtime.

Not a runtime of `runtimes`: it opens a file of which no manifest says anything yet. The file is
code.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from bnbench.errors import RunError, RuntimeUnavailableError
from bnbench.models.manifest import ModelFormat

_TRAINING_ARGUMENTS = {"aten::batch_norm": 5, "aten::instance_norm": 5, "aten::dropout": 2}
"""TorchScript's operators with the place of the argument that says they compute as in training."""
FLOAT32_EPSILON = torch.finfo(torch.float32).eps


@dataclass(frozen=True, eq=False)
class Classifier:
    """A loaded model in evaluation mode."""

    format: ModelFormat
    run: Callable[[torch.Tensor], Any]
    """From a batch as the model takes it to whatever it returns."""
    epsilon: float
    """Machine epsilon of the coarsest floating-point type among its weights."""
    software: dict[str, str]
    """What runs it, with the version, such as ``{"torch": "2.14.1"}``."""
    training_fault: str | None = None
    """The module or operator that computes in training mode; None if there is none."""


def detect_format(content: bytes, name: str) -> ModelFormat:
    """Tell the format of a model's file by its content.

    Raises:
        RunError: it is none that can be sealed; the text says what it is, if that can be told.
    """
    if not content.startswith(b"PK"):
        if content[:1] == b"\x08" or name.endswith(".onnx"):
            return "onnx"
        raise RunError(
            f"{name}: expected a TorchScript file, a torch.export archive or an ONNX graph, got "
            "another format; export it with torch.export.save, torch.jit.save or torch.onnx.export"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry.partition("/")[2] for entry in archive.namelist()}
    except zipfile.BadZipFile:
        raise RunError(f"{name}: expected a whole archive, got a damaged one") from None
    if "constants.pkl" in entries:
        return "torchscript"
    if "archive_format" in entries:
        return "pt2"
    what = "a state dict or another object that torch.save wrote"
    raise RunError(
        f"{name}: expected a TorchScript file or a torch.export archive, got "
        f"{what if 'data.pkl' in entries else 'an archive of something else'}; export the network "
        "with torch.export.save or torch.jit.save"
    )


def open_classifier(content: bytes, name: str) -> Classifier:
    """Load a model; this runs code of the file.

    Raises:
        RunError: it can't be loaded.
        RuntimeUnavailableError: it is ONNX, and ONNX Runtime is not installed.
    """
    model_format = detect_format(content, name)
    opener = {"torchscript": _open_torchscript, "pt2": _open_exported, "onnx": _open_onnx}
    try:
        return opener[model_format](content)
    except RuntimeUnavailableError:
        raise
    except Exception as error:  # what a foreign file may raise is anything
        raise RunError(
            f"{name}: expected a model that can be loaded, got {describe_error(error)}"
        ) from None


def describe_error(error: Exception) -> str:
    """The first line of an error that a model or its loader raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith(("RuntimeError: ", "torch.jit.Error: "))]
    text = causes[-1].partition(": ")[2] if causes else (lines or [type(error).__name__])[0]
    return text[:160]


def find_epsilon(tensors: Iterable[torch.Tensor]) -> float:
    """The machine epsilon of the coarsest floating-point type; at least that of float32."""
    found = [torch.finfo(t.dtype).eps for t in tensors if t.is_floating_point()]
    return max([FLOAT32_EPSILON, *found])


def _open_torchscript(content: bytes) -> Classifier:
    with warnings.catch_warnings():
        # torch announces that torch.export will replace TorchScript; see docs/architecture.md.
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated")
        module = torch.jit.load(io.BytesIO(content))
    was_set = [name or "the model" for name, part in module.named_modules() if part.training]
    graph = module.inlined_graph
    reads_flag = any(
        node.s("name") == "training" for node in graph.findAllNodes("prim::GetAttr", True)
    )
    module.eval()
    fault = was_set[0] if was_set and reads_flag else None
    for kind, position in _TRAINING_ARGUMENTS.items():
        for node in graph.findAllNodes(kind, True):
            if node.inputsSize() > position and node.inputsAt(position).toIValue() is True:
                fault = fault or kind.removeprefix("aten::")
    quantized = any("quantized" in str(part.original_name) for part in module.modules())
    epsilon = max(find_epsilon(module.parameters()), 2.0**-7 if quantized else 0)
    return Classifier("torchscript", module, epsilon, {"torch": torch.__version__}, fault)


def _open_exported(content: bytes) -> Classifier:
    program = torch.export.load(io.BytesIO(content))
    fault = None
    for node in program.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function" or schema is None:
            continue
        names = [argument.name for argument in schema.arguments]
        given = dict(zip(names, node.args, strict=False)) | node.kwargs
        if (given.get("training") is True or given.get("train") is True) and given.get("p") != 0:
            fault = fault or str(schema.name).removeprefix("aten::")
    tensors = [*program.state_dict.values(), *program.constants.values()]
    epsilon = find_epsilon(t for t in tensors if isinstance(t, torch.Tensor))
    return Classifier("pt2", program.module(), epsilon, {"torch": torch.__version__}, fault)


def _open_onnx(content: bytes) -> Classifier:
    if importlib.util.find_spec("onnxruntime") is None:
        raise RuntimeUnavailableError(
            "onnxruntime: expected it for an ONNX graph, got none installed; run: pip install "
            "'bnbench[onnx]'"
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (entry, *others) = session.get_inputs()
    if others:
        raise RunError(f"expected a graph of one input, got {len(others) + 1}")
    outputs = [output.name for output in session.get_outputs()]

    def run(batch: torch.Tensor) -> dict[str, torch.Tensor] | torch.Tensor:
        found = session.run(outputs, {entry.name: batch.numpy()})
        tensors = [torch.from_numpy(values) for values in found]
        return tensors[0] if len(tensors) == 1 else dict(zip(outputs, tensors, strict=True))

    epsilon = torch.finfo(torch.float16).eps if "float16" in entry.type else FLOAT32_EPSILON
    software = {"onnxruntime": onnxruntime.__version__}
    return Classifier("onnx", run, epsilon, software, _find_onnx_fault(content))


def _find_onnx_fault(content: bytes) -> str | None:
    """The first node in training mode; None without the package ``onnx``, which reads graphs."""
    if importlib.util.find_spec("onnx") is None:
        return None
    import onnx

    for node in onnx.load_from_string(content).graph.node:
        is_training = any(item.name == "training_mode" and item.i for item in node.attribute)
        if is_training or (node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]):
            return str(node.name or node.op_type)
    return None
