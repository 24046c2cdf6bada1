import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.exported_model import read_model
from bnbench.models.reference import compute_logits
from bnbench.models.torch_network import BATCH_SIZE, collect_weights
from bnbench.networks import build_network
from bnbench.specs import VariantSpec
from tests.conftest import BASELINE, BATCHNORM
from tests.models.conftest import Exporter, evaluate, make_state

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from bnbench.models.runtimes.onnxruntime import (
    export_graph,
    insert_weights,
    make_options,
    open_session,
)

LAYERNORM = VariantSpec("layernorm", hidden_sizes=(8, 6), normalization="layer")


def make_weights(variant: VariantSpec, seed: int) -> dict[str, NDArray[np.float32]]:
    network = build_network(variant)
    network.load_state_dict(make_state(variant, seed))
    return {name: tensor.numpy() for name, tensor in collect_weights(network).items()}


@pytest.mark.slow
@pytest.mark.parametrize("variant", [BASELINE, BATCHNORM, LAYERNORM], ids=lambda v: v.name)
def test_two_models_of_a_variant_each_have_their_own_networks_logits(
    variant: VariantSpec, export: Exporter, images: NDArray[np.uint8]
) -> None:
    found = []
    for seed in (1, 2):
        model = export(variant, seed)
        found.append(evaluate("onnxruntime", model, images))
        assert found[-1].dtype == np.float32
        assert np.allclose(
            found[-1], compute_logits(read_model(model).network, images), rtol=0, atol=1e-5
        )
    assert np.abs(found[0] - found[1]).max() > 0.1


@pytest.mark.parametrize("num_images", [1, BATCH_SIZE + 1])
def test_any_number_of_images_is_evaluated_in_its_order(
    num_images: int, export: Exporter, images: NDArray[np.uint8]
) -> None:
    many, model = np.resize(images, (num_images, 28, 28)), export(BATCHNORM)
    expected = compute_logits(read_model(model).network, many)
    assert np.allclose(evaluate("onnxruntime", model, many), expected, rtol=0, atol=1e-5)


def test_the_graph_has_a_batch_normalization_for_each_of_the_network() -> None:
    nodes = [node.op_type for node in export_graph(BATCHNORM).graph.node]
    assert nodes.count("BatchNormalization") == len(BATCHNORM.hidden_sizes)


@pytest.mark.parametrize("variant", [BASELINE, BATCHNORM, LAYERNORM], ids=lambda v: v.name)
def test_each_node_of_the_graph_is_executed_and_none_is_merged_with_another(
    variant: VariantSpec, tmp_path: Path
) -> None:
    options = make_options()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    graph = export_graph(variant)
    session = open_session(graph, options)
    session.run(None, {"images": np.zeros((3, 1, 28, 28), np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text())
    executed = [
        event["args"]["op_name"] for event in events if event["name"].endswith("_kernel_time")
    ]
    nodes = [node.op_type for node in graph.graph.node if node.op_type != "Constant"]
    assert sorted(executed) == sorted(nodes)
    if variant.normalization == "batch":
        assert executed.count("BatchNormalization") == len(variant.hidden_sizes)


def test_weights_are_put_in_whole_and_leave_the_exported_graph_as_it_was() -> None:
    graph = export_graph(BATCHNORM)
    before, weights = graph.SerializeToString(), make_weights(BATCHNORM, 4)
    filled = insert_weights(graph, weights)
    assert graph.SerializeToString() == before
    assert {item.name: item.raw_data for item in filled.graph.initializer} == {
        name: value.tobytes() for name, value in weights.items()
    }


def test_a_missing_unknown_or_misshapen_weight_is_refused_by_its_name() -> None:
    graph, weights = export_graph(BATCHNORM), make_weights(BATCHNORM, 0)
    less = {name: value for name, value in weights.items() if name != "norm2.running_var"}
    with pytest.raises(RunError, match=r"of norm2\.running_var expected .*, got None"):
        insert_weights(graph, less)
    with pytest.raises(RunError, match=r"of norm9\.bias expected None"):
        insert_weights(graph, {**weights, "norm9.bias": weights["norm1.bias"]})
    for wrong in (weights["linear1.weight"].T, weights["linear1.weight"].astype(np.float64)):
        with pytest.raises(RunError, match=r"of linear1\.weight expected"):
            insert_weights(graph, {**weights, "linear1.weight": wrong})
