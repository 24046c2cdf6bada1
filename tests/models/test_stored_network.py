import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from bnbench.errors import RunError
from bnbench.models.export import serialize_torchscript
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    LayerNormLayer,
    LinearLayer,
    RmsNormLayer,
    ShortcutLayer,
    StoredNetwork,
    read_stored_network,
)
from bnbench.networks import ACTIVATIONS
from bnbench.specs import VariantSpec
from tests.conftest import BASELINE, BATCHNORM
from tests.models.conftest import make_state

LAYERNORM = VariantSpec("layernorm", hidden_sizes=(8, 6), normalization="layer")
TINY = VariantSpec("tiny", hidden_sizes=(2,), normalization="batch")
CONTENT = serialize_torchscript(TINY, make_state(TINY, 0))


def script(**layers: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Sequential(OrderedDict(layers)).eval()), buffer)
    return buffer.getvalue()


def change_entry(name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The tiny network's archive with one entry changed, and its checksums right again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.namelist():
            value = old.read(entry)
            new.writestr(entry, change(value) if entry == f"archive/{name}" else value)
    return buffer.getvalue()


@pytest.mark.parametrize("variant", [BASELINE, BATCHNORM, LAYERNORM], ids=lambda v: v.name)
def test_every_tensor_is_read_bit_for_bit(variant: VariantSpec) -> None:
    state = make_state(variant, seed=3)
    tensors = read_stored_network(serialize_torchscript(variant, state)).tensors
    assert tensors.keys() == state.keys()
    for name, value in state.items():
        assert tensors[name].dtype == value.numpy().dtype
        assert tensors[name].shape == tuple(value.shape)
        assert tensors[name].tobytes() == value.numpy().tobytes()


@pytest.mark.parametrize(
    ("variant", "norm"),
    [(BASELINE, []), (BATCHNORM, [BatchNormLayer]), (LAYERNORM, [LayerNormLayer])],
    ids=["none", "batch", "layer"],
)
def test_layers_are_read_in_the_order_in_which_they_are_applied(
    variant: VariantSpec, norm: list[type]
) -> None:
    network = read_stored_network(serialize_torchscript(variant, make_state(variant, 0)))
    hidden = [LinearLayer, *norm, ActivationLayer]
    assert [type(layer) for layer in network.layers] == [*hidden, *hidden, LinearLayer]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_told_apart(activation: str) -> None:
    variant = VariantSpec("v", hidden_sizes=(3,), activation=activation)
    network = read_stored_network(serialize_torchscript(variant, make_state(variant, 0)))
    assert network.layers[1] == ActivationLayer("activation1", activation)


def test_a_shortcut_holds_the_layers_it_leads_around() -> None:
    variant = VariantSpec("v", (4, 3), "rms", placement="after", dropout=0.1, residual=True)
    network = read_stored_network(serialize_torchscript(variant, make_state(variant, 0)))
    assert [layer.name for layer in network.layers] == [
        *("linear1", "activation1", "postnorm1", "shortcut2", "output")
    ]
    shortcut = network.layers[3]
    assert isinstance(shortcut, ShortcutLayer)
    assert [type(layer) for layer in shortcut.layers] == [
        LinearLayer,
        ActivationLayer,
        RmsNormLayer,
    ]
    assert network.tensors.keys() == make_state(variant, 0).keys()
    assert network.constants == {"postnorm1.eps": 1e-5, "shortcut2.postnorm2.eps": 1e-5}


def test_an_approximate_gelu_is_refused() -> None:
    with pytest.raises(RunError, match="act is an approximate GELU, which can't be read"):
        read_stored_network(
            script(flatten=nn.Flatten(), act=nn.GELU(approximate="tanh"), output=nn.Linear(784, 10))
        )


def test_an_exported_network_is_in_evaluation_mode() -> None:
    assert read_stored_network(CONTENT).modules_in_training == ()


def test_modules_saved_in_training_mode_are_named() -> None:
    scripted = torch.jit.load(io.BytesIO(CONTENT))
    scripted.norm1.train()
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    assert read_stored_network(buffer.getvalue()).modules_in_training == ("norm1",)
    scripted.train()
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    assert {"", "norm1"} <= set(read_stored_network(buffer.getvalue()).modules_in_training)


def test_each_normalizations_own_eps_is_read() -> None:
    network = read_stored_network(
        script(
            flatten=nn.Flatten(),
            linear1=nn.Linear(784, 4),
            norm1=nn.BatchNorm1d(4, eps=0.25),
            linear2=nn.Linear(4, 3),
            norm2=nn.BatchNorm1d(3),
            linear3=nn.Linear(3, 10),
            norm3=nn.LayerNorm(10, eps=3e-7),
        )
    )
    found = [layer.eps for layer in network.layers if hasattr(layer, "eps")]
    assert found == [0.25, 1e-5, 3e-7]


@pytest.mark.parametrize("content", [b"", b"no archive", CONTENT[: len(CONTENT) // 2]])
def test_what_is_no_whole_archive_is_refused(content: bytes) -> None:
    with pytest.raises(RunError, match="expected a TorchScript file, got damage"):
        read_stored_network(content)


def test_a_tree_that_names_a_command_is_refused_and_the_command_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = f"touch {trace}".encode()
    # GLOBAL, MARK, BINUNICODE, TUPLE, REDUCE, STOP: operations that torch's trees have, too.
    length = len(command).to_bytes(4, "little")
    tree = b"\x80\x02cos\nsystem\n(X" + length + command + b"tR."
    content = change_entry("data.pkl", lambda old: tree)
    with pytest.raises(RunError, match=r"names os\.system, which no network is made of"):
        read_stored_network(content)
    assert not trace.exists()


def test_a_tree_with_operations_of_other_pickles_is_refused() -> None:
    content = change_entry("data.pkl", lambda old: pickle.dumps({"a": [1]}, protocol=4))
    with pytest.raises(RunError, match="the operation FRAME, which no network is made of"):
        read_stored_network(content)


def test_a_tree_that_asks_for_endless_memory_is_refused() -> None:
    # PROTO 2, EMPTY_DICT, LONG_BINPUT with the largest number, STOP.
    content = change_entry("data.pkl", lambda old: b"\x80\x02}r\xff\xff\xff\xff.")
    with pytest.raises(RunError, match="numbers an object 4294967295"):
        read_stored_network(content)


def test_big_endian_values_are_refused() -> None:
    content = change_entry("byteorder", lambda old: b"big")
    with pytest.raises(RunError, match="its byte order is big, not little"):
        read_stored_network(content)


def test_a_tensor_longer_than_its_storage_is_refused() -> None:
    content = change_entry("data/0", lambda old: old[:-4])
    with pytest.raises(RunError, match="storage 0 has 1567 values, not 1568"):
        read_stored_network(content)


def test_layers_that_do_not_fit_each_other_are_refused() -> None:
    content = script(flatten=nn.Flatten(), a=nn.Linear(784, 8), b=nn.Linear(9, 10))
    with pytest.raises(RunError, match=r"b must take 8 inputs, and its weight has shape \(10, 9\)"):
        read_stored_network(content)


def test_a_normalization_of_another_width_is_refused() -> None:
    content = script(a=nn.Linear(784, 10), b=nn.BatchNorm1d(9))
    with pytest.raises(RunError, match="b must have 10 units"):
        read_stored_network(content)


def test_other_numbers_of_inputs_and_logits_are_read() -> None:
    (layer,) = read_stored_network(script(a=nn.Linear(64, 47))).layers
    assert isinstance(layer, LinearLayer)
    assert layer.weight.shape == (47, 64)


def test_a_network_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(RunError, match="it must have a linear layer, and has none"):
        read_stored_network(script(a=nn.ReLU()))


def test_weights_of_another_precision_are_refused() -> None:
    with pytest.raises(RunError, match="a holds other values than binary32"):
        read_stored_network(script(a=nn.Linear(784, 10).double()))


def test_a_layer_of_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(RunError, match="b is a Softplus, which is none of the layers"):
        read_stored_network(script(a=nn.Linear(784, 10), b=nn.Softplus()))


def read_or_refuse(content: bytes) -> None:
    try:
        network = read_stored_network(content)
    except RunError:
        return
    assert isinstance(network, StoredNetwork)
    assert all(isinstance(value, np.ndarray) for value in network.tensors.values())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(position=st.integers(0, len(CONTENT) - 1), value=st.integers(0, 255))
def test_a_changed_byte_of_the_file_gives_a_network_or_a_run_error(
    position: int, value: int
) -> None:
    read_or_refuse(CONTENT[:position] + bytes([value]) + CONTENT[position + 1 :])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_changed_byte_of_the_tree_under_right_checksums_gives_a_network_or_a_run_error(
    place: float, value: int
) -> None:
    def change(tree: bytes) -> bytes:
        position = int(place * len(tree))
        return tree[:position] + bytes([value]) + tree[position + 1 :]

    read_or_refuse(change_entry("data.pkl", change))
