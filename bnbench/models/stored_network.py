"""The network in a TorchScript file, read without torch: plain arrays, and no code is run.

A TorchScript file is a zip archive: the module tree as a pickle (``data.pkl``), each tensor's
storage as raw little-endian values (``data/N``), and the classes' source (``code/``), in which
constants such as ``eps`` stand. The pickle is read with a table of the few names and a table of the
few operations that such a tree is made of; any other is refused, so a hostile file can name nothing
that would run, and a damaged one can't ask for more memory than there is.
"""

from __future__ import annotations

import dataclasses
import io
import math
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.graph import Graph, Node, make_batch_norm
from bnbench.models.operators.activations import ACTIVATIONS
from bnbench.models.operators.affine import Affine, BatchNorm
from bnbench.models.operators.elementwise import Sum
from bnbench.models.operators.interface import Operator
from bnbench.models.operators.normalizations import InputNorm
from bnbench.models.operators.products import Linear
from bnbench.models.operators.shapes import Pad

Images = NDArray[np.uint8]
"""Gray images, shape (num_images, 28, 28)."""
ActivationKind = Literal["relu", "gelu", "silu", "sigmoid", "tanh"]

_STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
_ACTIVATIONS: dict[str, ActivationKind] = {
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}
_WITHOUT_EFFECT = ("Flatten", "Dropout")  # in evaluation mode
_SHORTCUT = "Shortcut"
_MAX_ARCHIVE_BYTES = 2**30
# The operations that torch writes a tree of modules with.
_PICKLE_OPERATIONS = (
    "PROTO STOP MARK GLOBAL BUILD NEWOBJ REDUCE BINPERSID NONE NEWTRUE NEWFALSE BININT BININT1 "
    "BININT2 LONG1 BINFLOAT BINUNICODE EMPTY_TUPLE TUPLE EMPTY_DICT SETITEMS BINPUT LONG_BINPUT "
    "BINGET LONG_BINGET EMPTY_LIST APPENDS"
)
_LISTS = (
    "build_intlist",
    "build_doublelist",
    "build_boollist",
    "build_tensorlist",
    "restore_type_tag",
)
"""Names in `torch.jit._pickle` that give back their first argument."""


@dataclass(frozen=True, eq=False)
class LinearLayer(Linear):
    """``z = W a + b``."""


@dataclass(frozen=True, eq=False)
class BatchNormLayer(BatchNorm):
    """``(z - running_mean) / sqrt(running_var + eps) * weight + bias``, in evaluation mode."""

    @property
    def scale(self) -> NDArray[np.float64]:
        """The factor of each unit, in binary64."""
        return self.weight / np.sqrt(self.running_var.astype(np.float64) + self.eps)


@dataclass(frozen=True, eq=False)
class LayerNormLayer:
    """``(z - mean(z)) / sqrt(var(z) + eps) * weight + bias``, over an image's own units."""

    name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    eps: float


@dataclass(frozen=True, eq=False)
class RmsNormLayer:
    """``z / sqrt(mean(z ** 2) + eps) * weight``, over an image's own units."""

    name: str
    weight: NDArray[np.float32]
    eps: float


@dataclass(frozen=True)
class ActivationLayer:
    """An activation, unit by unit."""

    name: str
    kind: ActivationKind


@dataclass(frozen=True, eq=False)
class ShortcutLayer:
    """Layers whose inputs are added to their outputs, cut or filled with zeros to their number."""

    name: str
    layers: tuple[Layer, ...]


Normalization = BatchNormLayer | LayerNormLayer | RmsNormLayer
Layer = LinearLayer | Normalization | ActivationLayer | ShortcutLayer
_LAYER_TYPES: dict[str, type[LinearLayer | Normalization]] = {
    "Linear": LinearLayer,
    "BatchNorm1d": BatchNormLayer,
    "LayerNorm": LayerNormLayer,
    "RMSNorm": RmsNormLayer,
}


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """A stack of layers from flattened inputs to logits, as a file holds it."""

    layers: tuple[Layer, ...]
    """In the order in which they are applied; flattening is not among them. Empty if they are not
    known, as those of an own network."""
    tensors: dict[str, NDArray[Any]]
    """Every parameter and buffer by the name torch gives it, such as ``linear1.weight``."""
    modules_in_training: tuple[str, ...]
    """Modules saved in training mode; the whole network's name is the empty text."""

    @cached_property
    def graph(self) -> Graph:
        """The same network as a graph; its input is the flat image."""
        nodes: list[Node] = []
        output = _append_layers(nodes, self.layers, 0)
        return Graph(tuple(nodes), output, None, self.tensors)

    @property
    def constants(self) -> dict[str, float]:
        """What stands in the file's code and in no tensor, such as ``norm1.eps``."""
        return {
            f"{layer.name}.eps": layer.eps
            for layer in list_layers(self.layers)
            if isinstance(layer, Normalization)
        }


def list_layers(layers: Sequence[Layer]) -> list[Layer]:
    """List layers in the order in which they are applied, those of a shortcut one by one."""
    return [
        inner
        for layer in layers
        for inner in (list_layers(layer.layers) if isinstance(layer, ShortcutLayer) else [layer])
    ]


def _append_layers(nodes: list[Node], layers: Sequence[Layer], value: int) -> int:
    """Append layers to a graph's nodes; the number of the value that the last one gives."""

    def append(name: str, operator: Operator, *sources: int) -> int:
        nodes.append(Node(name, operator, sources))
        return len(nodes)

    for layer in layers:
        match layer:
            case ShortcutLayer():
                inner = _append_layers(nodes, layer.layers, value)
                linear = [item for item in layer.layers if isinstance(item, LinearLayer)]
                first, last = linear[0].weight.shape[1], len(linear[-1].weight)
                kept = append(layer.name, Pad(((0, last - first),)), value)
                value = append(layer.name, Sum(), inner, kept)
            case _:
                value = append(layer.name, make_operator(layer), value)
    return value


def make_operator(layer: LinearLayer | Normalization | ActivationLayer) -> Operator:
    """A layer as an operator; it shares the layer's arrays."""
    match layer:
        case LinearLayer():
            return Affine(layer)
        case BatchNormLayer():
            return make_batch_norm(layer, num_axes=0)
        case LayerNormLayer():
            return InputNorm(layer.name, layer.weight, layer.bias, layer.eps, is_centered=True)
        case RmsNormLayer():
            zeros = np.zeros_like(layer.weight)
            return InputNorm(layer.name, layer.weight, zeros, layer.eps, is_centered=False)
        case ActivationLayer():
            return ACTIVATIONS[layer.kind]


def read_stored_network(content: bytes) -> StoredNetwork:
    """Read the network out of a TorchScript file's bytes.

    Raises:
        RunError: they are no TorchScript file, or hold a network that is no plain stack of
            linear layers, normalizations and activations.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read_network(_Archive(archive))
    except Exception as error:
        # Damage comes up as nearly anything (zlib.error, MemoryError, RuntimeError where an entry
        # seems encrypted, ...); pickle and zipfile promise no list.
        raise RunError(f"expected a TorchScript file, got damage: {error!r}") from None


def read_stored_tensors(content: bytes, names: Collection[str]) -> StoredNetwork:
    """Read tensors and modes out of a TorchScript file of any network; its layers stay unknown.

    Args:
        content: the file's bytes.
        names: the tensors that are read; others are constants of the code.

    Raises:
        RunError: they are no TorchScript file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            modules = dict(_list_modules(_Archive(archive).read_tree(), ""))
    except Exception as error:  # as above
        raise RunError(f"expected a TorchScript file, got damage: {error!r}") from None
    tensors = {
        f"{name}.{key}".removeprefix("."): value
        for name, module in modules.items()
        for key, value in vars(module).items()
        if isinstance(value, np.ndarray)
    }
    in_training = [name for name, module in modules.items() if vars(module).get("training")]
    found = {name: tensors[name] for name in tensors if name in names}
    return StoredNetwork((), found, tuple(in_training))


def _list_modules(module: _Module, name: str) -> Iterator[tuple[str, _Module]]:
    """List a module and all below it by their dotted names."""
    yield name, module
    for short, inner in vars(module).items():
        if isinstance(inner, _Module):
            yield from _list_modules(inner, f"{name}.{short}".removeprefix("."))


class _Module:
    """A module of the pickled tree: its qualified class name and its attributes."""

    qualified_name = ""


class _ArchiveUnpickler(pickle.Unpickler):
    """Knows the names that a module tree is made of and refuses every other."""

    def __init__(self, content: bytes, archive: _Archive) -> None:
        super().__init__(io.BytesIO(content))
        self._archive = archive
        self._classes: dict[str, type[_Module]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__."):
            qualified = f"{module}.{name}"
            if qualified not in self._classes:
                self._classes[qualified] = type("Module", (_Module,), {"qualified_name": qualified})
            return self._classes[qualified]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch.jit._pickle" and name in _LISTS:
            return _take_first
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no network is made of")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        kind, storage_type, key, _device, num_values = pid
        if kind != "storage" or not str(key).isdigit():
            raise pickle.UnpicklingError("it refers to something that is no storage")
        storage = np.frombuffer(self._archive.read(f"data/{key}"), dtype=storage_type)
        if len(storage) != num_values:
            raise ValueError(f"storage {key} has {len(storage)} values, not {num_values}")
        return storage


def _check_operations(content: bytes) -> None:
    for operation, argument, _ in pickletools.genops(content):
        if operation.name not in _PICKLE_OPERATIONS.split():
            raise pickle.UnpicklingError(
                f"it holds the operation {operation.name}, which no network is made of"
            )
        # Objects are numbered one by one; Python would make room for all numbers below this one.
        if operation.name == "LONG_BINPUT" and (argument or 0) > len(content):
            raise pickle.UnpicklingError(f"it numbers an object {argument}")


def _take_first(value: object, *_ignored: object) -> object:
    return value


def _rebuild_tensor(
    storage: NDArray[Any],
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    *_ignored: object,
) -> NDArray[Any]:
    """A tensor's values as a fresh array; `offset` and `stride` count values."""
    contiguous = tuple(math.prod(size[axis + 1 :]) for axis in range(len(size)))
    if any(s != c for s, c, n in zip(stride, contiguous, size, strict=True) if n > 1):
        raise ValueError("a tensor is not contiguous")
    count = math.prod(size)
    if offset < 0 or offset + count > len(storage):
        raise ValueError("a tensor reaches beyond its storage")
    return storage[offset : offset + count].reshape(size).copy()


class _Archive:
    """The parts of a TorchScript file that a network is read from."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_ARCHIVE_BYTES:
            raise ValueError("it unpacks to more than 1 GiB")
        names = archive.namelist()
        (tree,) = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        self._archive = archive
        self._prefix = tree.removesuffix("data.pkl")
        if f"{self._prefix}byteorder" in names:
            order = self.read("byteorder")
            if order != b"little":
                raise ValueError(f"its byte order is {order.decode(errors='replace')}, not little")

    def read_tree(self) -> _Module:
        content = self.read("data.pkl")
        _check_operations(content)
        root = _ArchiveUnpickler(content, self).load()
        if not isinstance(root, _Module):
            raise ValueError("its data are no module")
        return root

    def read_constant(self, module: _Module, name: str) -> str:
        """The value of a constant as it stands in the file's code."""
        # The class a.b.C stands in the file code/a/b.py.
        path, _, class_name = module.qualified_name.rpartition(".")
        source = self.read(f"code/{path.replace('.', '/')}.py").decode()
        body = source[source.index(f"class {class_name}(") :]
        found = re.search(rf"^  {name} : Final\[\w+\] = (\S+)$", body, re.MULTILINE)
        if found is None:
            raise ValueError(f"{module.qualified_name} has no constant {name}")
        return found.group(1)

    def read(self, name: str) -> bytes:
        return self._archive.read(self._prefix + name)


def _read_network(archive: _Archive) -> StoredNetwork:
    root = archive.read_tree()
    layers, tensors, modules = _read_layers(archive, root, "")
    _check_stack(layers)
    in_training = [
        name for name, module in {"": root, **modules}.items() if vars(module).get("training")
    ]
    return StoredNetwork(tuple(layers), tensors, tuple(in_training))


def _read_layers(
    archive: _Archive, parent: _Module, prefix: str
) -> tuple[list[Layer], dict[str, NDArray[Any]], dict[str, _Module]]:
    """Read the layers below a module, and their tensors and modules by their dotted names."""
    layers: list[Layer] = []
    tensors: dict[str, NDArray[Any]] = {}
    modules: dict[str, _Module] = {}
    for short, module in vars(parent).items():
        if not isinstance(module, _Module):
            continue
        name, kind = prefix + short, module.qualified_name.rpartition(".")[2]
        modules[name] = module
        own = {key: value for key, value in vars(module).items() if isinstance(value, np.ndarray)}
        tensors.update({f"{name}.{key}": value for key, value in own.items()})
        if kind in _ACTIVATIONS:
            if kind == "GELU" and archive.read_constant(module, "approximate") != '"none"':
                raise ValueError(f"{name} is an approximate GELU, which can't be read")
            layers.append(ActivationLayer(name, _ACTIVATIONS[kind]))
        elif kind in _LAYER_TYPES:
            keys = [field.name for field in dataclasses.fields(_LAYER_TYPES[kind])][1:]
            values: Any = {
                k: own[k] if k != "eps" else float(archive.read_constant(module, k)) for k in keys
            }
            layers.append(_LAYER_TYPES[kind](name, **values))
        elif kind == _SHORTCUT and not prefix:
            inner, inner_tensors, inner_modules = _read_layers(archive, module, f"{name}.")
            layers.append(ShortcutLayer(name, tuple(inner)))
            tensors.update(inner_tensors)
            modules.update(inner_modules)
        elif kind not in _WITHOUT_EFFECT:
            raise ValueError(f"{name} is a {kind}, which is none of the layers that can be read")
    return layers, tensors, modules


def _check_stack(layers: Sequence[Layer]) -> None:
    """Every layer takes what the one before it gives, and all values are binary32."""
    num_units: int | None = None  # until the first linear layer says how many inputs it takes
    for layer in list_layers(layers):
        if isinstance(layer, ActivationLayer):
            continue
        arrays = [value for value in vars(layer).values() if isinstance(value, np.ndarray)]
        if any(array.dtype != np.dtype("<f4") for array in arrays):
            raise ValueError(f"{layer.name} holds other values than binary32")
        if isinstance(layer, LinearLayer):
            is_matrix = layer.weight.ndim == 2
            if not is_matrix or num_units not in (None, layer.weight.shape[1]):
                raise ValueError(
                    f"{layer.name} must take {num_units or 'flattened'} inputs, and its weight "
                    f"has shape {layer.weight.shape}"
                )
            num_units = layer.weight.shape[0]
            arrays = [layer.bias]
        if any(array.shape != (num_units,) for array in arrays):
            raise ValueError(f"{layer.name} must have {num_units} units")
    if num_units is None:
        raise ValueError("it must have a linear layer, and has none")
