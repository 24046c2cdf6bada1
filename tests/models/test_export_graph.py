"""Archives of torch.export, read without torch: same numbers, and nothing else is let in."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bnbench.errors import RunError
from bnbench.layers import Shortcut
from bnbench.models.certificate import Certificate, certify
from bnbench.models.export_archive import is_export_archive
from bnbench.models.export_graph import read_export_graph
from bnbench.models.graph import UncoveredError
from bnbench.models.inputs import Inputs

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


class Function(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., Any], **buffers: torch.Tensor) -> None:
        super().__init__()
        self.function = function
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def forward(self, inputs: torch.Tensor) -> Any:
        return self.function(inputs, **dict(self.named_buffers()))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.SiLU())
        self.project = nn.Conv2d(4, 4, 1, stride=2, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        gated = inputs * torch.sigmoid(inputs)
        both = torch.cat([self.inner(inputs) + inputs, gated - inputs], dim=1)
        return torch.flatten(self.project(both), 1)


def make_rms_norm_by_hand() -> nn.Module:
    def normalize(inputs: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return inputs * torch.rsqrt(inputs.pow(2).mean(-1, keepdim=True) + 1e-5) * gain

    return Function(normalize, gain=torch.rand(6) + 0.5)


def take_attention(inputs: torch.Tensor) -> torch.Tensor:
    shares = torch.softmax(inputs.transpose(1, 2) / 3 - 0.5, dim=-1)
    return functional.pad(shares, (1, -1)).mean(dim=1)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, stride=2, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, stride=1, padding=1),
            nn.Conv2d(4, 6, (1, 3), groups=2, dilation=(1, 2)),
            nn.GELU(),
            nn.AvgPool2d(2, padding=1),
            nn.GELU(approximate="tanh"),
            nn.AdaptiveAvgPool2d((1, 1)),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(6, 5),
            nn.LogSoftmax(dim=1),
        ),
        (2, 9, 8),
    ),
    "normalizations": (
        lambda: nn.Sequential(
            nn.Linear(6, 6, bias=False),
            nn.BatchNorm1d(6, affine=False),
            nn.Tanh(),
            nn.LayerNorm(6),
            nn.Sigmoid(),
            nn.RMSNorm(6),
            Shortcut(nn.Linear(6, 4), nn.ReLU()),
            nn.Softmax(dim=-1),
        ),
        (6,),
    ),
    "rms norm by hand": (make_rms_norm_by_hand, (6,)),
    "constants": (
        lambda: nn.Sequential(
            Function(lambda x: (x / 255 - 0.5) * 2.0), nn.Flatten(), nn.Linear(6, 3)
        ),
        (2, 3),
    ),
    "residual": (Residual, (2, 5, 4)),
    "attention": (lambda: Function(take_attention), (3, 4)),
    "view by size": (lambda: Function(lambda x: x.view(x.size(0), -1) - 1), (2, 3)),
}


def randomize(module: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for value in [*module.parameters(), *module.buffers()]:
        if value.is_floating_point():
            value.data.uniform_(0.2, 1.2).mul_(1 if value.ndim < 2 else 0.5)
    return module.eval()


@functools.cache
def export_named(name: str, decomposed: bool) -> tuple[bytes, nn.Module]:
    make, shape = NETWORKS[name]
    module = randomize(make())
    return export(module, shape, decomposed), module


def export(
    module: nn.Module,
    shape: tuple[int, ...],
    decomposed: bool = False,
    dynamic: bool = True,
    dtype: torch.dtype = torch.float32,
) -> bytes:
    sizes = ({0: torch.export.Dim("batch", min=1)},) if dynamic else None
    program = torch.export.export(
        module, (torch.ones(2, *shape, dtype=dtype),), dynamic_shapes=sizes
    )
    if decomposed:
        program = program.run_decompositions()
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("decomposed", [False, True], ids=["as exported", "decomposed"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_graph_gives_what_torch_gives_in_float64(name: str, decomposed: bool) -> None:
    content, module = export_named(name, decomposed)
    graph = read_export_graph(content)
    assert graph.input_shape == NETWORKS[name][1]
    inputs = torch.rand(5, *NETWORKS[name][1], generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = module.double()(inputs.double())
        module.float()
    found = graph.evaluate(inputs.double().numpy())
    assert np.allclose(found, expected.numpy(), rtol=1e-6, atol=1e-6)
    proof = certify(graph, Inputs(inputs.numpy(), network_shape=graph.input_shape))
    assert isinstance(proof, Certificate), proof
    with torch.inference_mode():
        eager = module(inputs).double().numpy()
    assert (np.abs(eager - proof.logits) <= proof.logit_bounds).all()


def test_layers_have_the_names_of_their_modules_and_tensors_those_of_torch() -> None:
    content, module = export_named("convolutions", False)
    graph = read_export_graph(content)
    assert [node.name for node in graph.nodes][:3] == ["0", "1", "relu_"]
    state = module.state_dict()
    assert set(graph.tensors) == set(state)
    assert all((graph.tensors[name] == value.numpy()).all() for name, value in state.items())


def test_an_archive_for_one_batch_size_is_read_too() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    graph = read_export_graph(export(module, (2, 3), dynamic=False))
    assert graph.evaluate(np.ones((7, 2, 3))).shape == (7, 3)


def test_a_network_that_takes_bytes_is_read_with_its_own_scaling() -> None:
    scale = Function(lambda x: x.float() / 255)
    module = nn.Sequential(scale, nn.Flatten(), nn.Linear(6, 3))
    graph = read_export_graph(export(module, (2, 3), dtype=torch.uint8))
    inputs = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20
    proof = certify(graph, Inputs(inputs, network_shape=graph.input_shape))
    assert isinstance(proof, Certificate)
    with torch.inference_mode():
        eager = module(torch.tensor(inputs)).double().numpy()
    assert (np.abs(eager - proof.logits) <= proof.logit_bounds).all()


def test_arithmetic_in_whole_numbers_is_refused_since_it_wraps() -> None:
    module = Function(lambda x: (x + x).float())
    with pytest.raises(UncoveredError, match="add: expected arithmetic in float32, got uint8"):
        read_export_graph(export(module, (4,), dtype=torch.uint8))


def test_parameters_in_fewer_bits_are_evaluated_but_not_covered() -> None:
    module = nn.Sequential(nn.Linear(4, 3)).to(torch.bfloat16)
    graph = read_export_graph(export(module, (4,), dtype=torch.bfloat16))
    assert graph.uncovered[0] == "0.weight: expected float32, got bfloat16"
    expected = module.double()(torch.ones(1, 4).double())
    assert np.allclose(graph.evaluate(np.ones((1, 4))), expected.detach().numpy())


class TwoOutputs(nn.Module):
    def __init__(self, as_dictionary: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 2), nn.Linear(4, 3)
        self.as_dictionary = as_dictionary

    def forward(self, inputs: torch.Tensor) -> Any:
        answers = self.first(inputs), self.second(inputs)
        return dict(zip(("aux", "logits"), answers, strict=True)) if self.as_dictionary else answers


@pytest.mark.parametrize(("as_dictionary", "element"), [(False, 1), (True, "logits")])
def test_one_of_several_outputs_is_chosen_by_position_or_key(
    as_dictionary: bool, element: int | str
) -> None:
    content = export(TwoOutputs(as_dictionary), (4,))
    assert read_export_graph(content, element).evaluate(np.ones((1, 4))).shape == (1, 3)
    with pytest.raises(RunError, match="the output: expected one, got 2"):
        read_export_graph(content)


def train_forever(inputs: torch.Tensor) -> torch.Tensor:
    return functional.dropout(inputs, 0.5, training=True)


REFUSED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], type[RunError], str]] = {
    "unknown operator": (
        lambda: Function(torch.erfinv),
        (4,),
        UncoveredError,
        "expected a known operator, got torch.ops.aten.erfinv.default",
    ),
    "functional dropout": (
        lambda: Function(train_forever),
        (4,),
        RunError,
        "expected a network in evaluation mode, got dropout in training mode",
    ),
    "batch norm in training mode": (
        lambda: nn.Sequential(nn.BatchNorm1d(4)).train(),
        (4,),
        RunError,
        "training mode; export it after model.eval\\(\\)",
    ),
    "statistics of the batch": (
        lambda: nn.BatchNorm1d(4, track_running_stats=False),
        (4,),
        RunError,
        "batch normalization in training mode",
    ),
    "mean over the batch": (
        lambda: Function(lambda x: x - x.mean(dim=0, keepdim=True)),
        (4,),
        UncoveredError,
        "expected an axis behind the first, which counts inputs, got 0",
    ),
    "rows turned": (
        lambda: Function(lambda x: x.permute(1, 0, 2)),
        (3, 4),
        UncoveredError,
        "expected an order that leaves the first axis",
    ),
    "batch in the shape": (
        lambda: Function(lambda x: x.reshape(-1, 4)),
        (3, 4),
        UncoveredError,
        "expected a first axis that counts the network's inputs, got",
    ),
    "overwritten": (
        lambda: Function(lambda x: (y := x * 2, y.view(-1, 4).relu_(), y)[2]),
        (4,),
        UncoveredError,
        "mul: expected a value that stays as it is, got one overwritten",
    ),
    "half precision inside": (
        lambda: Function(lambda x: x.to(torch.float16) * 2),
        (4,),
        UncoveredError,
        "expected dtype 'float32', got 'float16'",
    ),
    "ceil mode": (
        lambda: nn.MaxPool2d(2, ceil_mode=True),
        (1, 5, 5),
        UncoveredError,
        "expected ceil_mode False, got True",
    ),
    "transposed convolution": (
        lambda: nn.ConvTranspose2d(1, 2, 3),
        (1, 5, 5),
        UncoveredError,
        "expected a known operator, got torch.ops.aten.conv_transpose2d.input",
    ),
}


@pytest.mark.parametrize(("make", "shape", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_by_name(
    make: Callable[[], nn.Module], shape: tuple[int, ...], kind: type[RunError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        read_export_graph(export(make(), shape))


@functools.cache
def export_small() -> bytes:
    return export(randomize(nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.ReLU())), (2, 3))


def repack(content: bytes, change: Callable[[str, bytes], bytes | None], **settings: int) -> bytes:
    """The archive with other entries; None leaves one out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            changed = change(info.filename.partition("/")[2], old.read(info))
            if changed is not None:
                new.writestr(info.filename, changed, **settings)
    return buffer.getvalue()


def change_json(name: str, change: Callable[[Any], object]) -> bytes:
    def apply(entry: str, content: bytes) -> bytes:
        if entry != name:
            return content
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return repack(export_small(), apply)


MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


def get_nodes(program: Any) -> Any:
    return program["graph_module"]["graph"]["nodes"]


def set_first_size(program: Any, value: str, sizes: list[int]) -> None:
    meta = program["graph_module"]["graph"]["tensor_values"][value]
    meta["sizes"][1:] = [{"as_int": size} for size in sizes]


def take_later_value(program: Any) -> None:
    get_nodes(program)[0]["inputs"][0]["arg"]["as_tensor"]["name"] = "relu"


def pickle_weight(config: Any) -> None:
    config["config"]["1.weight"]["use_pickle"] = True


def stretch_weight(config: Any) -> None:
    config["config"]["1.weight"]["tensor_meta"]["sizes"] = [{"as_int": 2**20}, {"as_int": 2**20}]


def step_back(config: Any) -> None:
    config["config"]["1.weight"]["tensor_meta"]["strides"][0]["as_int"] = -1


def overlap(content: bytes) -> bytes:
    """A directory whose first entry claims to reach into the second."""
    damaged = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        at = archive.start_dir
    for place in (at + 20, at + 24):
        size = int.from_bytes(damaged[place : place + 4], "little")
        damaged[place : place + 4] = (size + 10_000).to_bytes(4, "little")
    return bytes(damaged)


DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip": (lambda: b"nothing", "expected a torch.export archive, got damage"),
    "half": (lambda: export_small()[: len(export_small()) // 2], "got damage"),
    "compressed": (
        lambda: repack(export_small(), lambda _, c: c, compress_type=zipfile.ZIP_DEFLATED),
        "is not stored as it is",
    ),
    "overlapping": (lambda: overlap(export_small()), "overlaps the next entry"),
    "another format": (
        lambda: repack(export_small(), lambda n, c: b"1" if n == "archive_version" else c),
        "archive_version is b'1', not b'0'",
    ),
    "big-endian": (
        lambda: repack(export_small(), lambda n, c: b"big" if n == "byteorder" else c),
        "byteorder is b'big'",
    ),
    "another schema": (
        lambda: change_json(MODEL, lambda p: p["schema_version"].update(major=9)),
        "its graph has schema 9, not 8",
    ),
    "pickled weight": (lambda: change_json(WEIGHTS, pickle_weight), "1.weight is pickled"),
    "weight too large": (lambda: change_json(WEIGHTS, stretch_weight), "1.weight reaches beyond"),
    "negative stride": (lambda: change_json(WEIGHTS, step_back), "it holds a size of -1"),
    "missing weight": (
        lambda: repack(export_small(), lambda n, c: None if n.endswith("weight_0") else c),
        "got damage: KeyError",
    ),
    "a value before it is there": (
        lambda: change_json(MODEL, take_later_value),
        "got damage: KeyError\\('relu'\\)",
    ),
    "wrong shape": (
        lambda: change_json(MODEL, lambda p: set_first_size(p, "linear", [4])),
        "expected shape \\(4,\\) as the file says, got \\(3,\\)",
    ),
    "inputs that do not fit": (
        lambda: change_json(MODEL, lambda p: set_first_size(p, "flatten", [7])),
        "expected inputs that fit",
    ),
    "operator of another library": (
        lambda: change_json(MODEL, lambda p: get_nodes(p)[1].update(target="os.system")),
        "1: expected a known operator, got os.system",
    ),
    "deeply nested": (
        lambda: repack(
            export_small(), lambda n, c: b"[" * 200_000 if n.endswith("model.json") else c
        ),
        "got damage: RecursionError",
    ),
}


@pytest.mark.parametrize(("make", "text"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_or_hostile_archive_is_refused_in_one_line(
    make: Callable[[], bytes], text: str
) -> None:
    with pytest.raises(RunError, match=text) as caught:
        read_export_graph(make())
    assert "\n" not in str(caught.value)


def test_no_flipped_byte_is_read_as_another_network() -> None:
    content = export_small()
    original = read_export_graph(content)
    inputs = np.ones((1, 2, 3))
    generator = np.random.default_rng(0)
    num_refused = 0
    for place in generator.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.integers(8)
        try:
            graph = read_export_graph(bytes(damaged))
        except RunError:
            num_refused += 1
            continue
        assert (graph.evaluate(inputs) == original.evaluate(inputs)).all()
    assert num_refused > 100


def test_example_inputs_are_never_opened() -> None:
    content = repack(
        export_small(), lambda n, c: b"cos\nsystem\n" if n.startswith("data/sample_inputs") else c
    )
    assert len(read_export_graph(content).nodes) == 3


def test_an_archive_is_told_from_torchscript() -> None:
    assert is_export_archive(export_small())
    assert not is_export_archive(b"PK")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", b"")
    assert not is_export_archive(buffer.getvalue())
