"""The onnxruntime runtime: the network as an ONNX graph, evaluated by ONNX Runtime on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from bnbench.data import scale_inputs
from bnbench.errors import RunError
from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import Runtime
from bnbench.models.torch_network import BATCH_SIZE, collect_weights, rebuild_network
from bnbench.networks import build_network
from bnbench.specs import FASHION_MNIST_SHAPE, DataShape, VariantSpec


@functools.cache
def export_graph(variant: VariantSpec, shape: DataShape = FASHION_MNIST_SHAPE) -> onnx.ModelProto:
    """Export a variant with arbitrary weights; cached, since exporting takes seconds.

    Returns:
        A graph from ``images``, float32 of shape (N, *input_shape), to ``logits`` of shape
        (N, num_classes), whose initializers have the names of torch's ``state_dict``.
    """
    program = torch.onnx.export(
        build_network(variant, shape).eval(),
        (torch.zeros(2, *shape.input_shape),),
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("num_images")},),
        dynamo=True,
        # torch's optimizer folds batch normalization into the linear layer before it; then another
        # network would be evaluated.
        optimize=False,
        verbose=False,
    )
    assert program is not None  # it is None only if a file is written
    graph: onnx.ModelProto = program.model_proto
    return graph


def insert_weights(
    graph: onnx.ModelProto, weights: Mapping[str, NDArray[np.float32]]
) -> onnx.ModelProto:
    """A copy of `graph` with an array for each initializer, of its name, shape and type.

    Raises:
        RunError: names, shapes or types are not those of the graph.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    required = {item.name: (tuple(item.dims), item.data_type) for item in graph.graph.initializer}
    tensors = {name: onnx.numpy_helper.from_array(value, name) for name, value in weights.items()}
    found = {name: (tuple(item.dims), item.data_type) for name, item in tensors.items()}
    for name in sorted({*required, *found}):
        if required.get(name) != found.get(name):
            raise RunError(
                "expected weights of the ONNX graph's names, shapes and types; of "
                f"{name} expected {required.get(name)}, got {found.get(name)}"
            )
    for initializer in copy.graph.initializer:
        initializer.CopyFrom(tensors[initializer.name])
    return copy


def make_options() -> onnxruntime.SessionOptions:
    """Options of a session: the graph as it is, on as many threads as torch uses."""
    options = onnxruntime.SessionOptions()
    # Any level of optimization may merge nodes, and which ones depends on the version. Without
    # optimization, batch normalization is certain to be evaluated as such.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    # Waiting threads must not take a core from another session.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(
    graph: onnx.ModelProto, options: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    """Load a graph into ONNX Runtime on the CPU."""
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class OnnxRuntime(Runtime):
    """Exports each variant once and puts every model's weights into its graph."""

    name = "onnxruntime"
    version = f"onnxruntime {onnxruntime.__version__}"

    def evaluate_model(
        self, model: ExportedModel, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """See `Runtime`."""
        tensors = collect_weights(rebuild_network(model))
        weights = {name: tensor.numpy() for name, tensor in tensors.items()}
        session = open_session(
            insert_weights(export_graph(model.manifest.get_variant(), model.shape), weights),
            make_options(),
        )
        parts = []
        for first in range(0, len(images), BATCH_SIZE):
            batch = scale_inputs(torch.tensor(images[first : first + BATCH_SIZE])).numpy()
            parts += session.run(["logits"], {"images": batch})
        return np.concatenate(parts)
