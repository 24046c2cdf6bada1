"""The network in a ``torch.export`` archive as a graph of known operators.

`aten` says what each operator of torch is; what is not in its table is refused by name. No code of
the file is run, and every shape that the file claims is compared with the one that its operator
gives.
"""

from __future__ import annotations

import json
from typing import Any

from bnbench.errors import RunError
from bnbench.models.aten import (
    IGNORED,
    OPERATORS,
    VIEWS,
    Arguments,
    Constant,
    GraphBuilder,
    Reference,
)
from bnbench.models.export_archive import ExportArchive, name_dtype, read_size
from bnbench.models.graph import Graph, UncoveredError

_PREFIX = "torch.ops.aten."
_MAX_NODES = 100_000
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def read_export_graph(content: bytes, element: int | str | None = None) -> Graph:
    """Read the network out of a ``.pt2`` file's bytes.

    Args:
        content: the file.
        element: position or key of the output that holds the logits; None where there is one.

    Raises:
        RunError: the file is damaged; it is in training mode; or it holds an operator, a type or a
            form that can't be read, which the text names.
    """
    archive = ExportArchive(content)
    try:
        return _GraphReader(archive).read(element)
    except RunError:
        raise
    except Exception as error:
        # A damaged graph comes up as a missing key, a wrong type or arrays that do not fit.
        raise RunError(f"expected a torch.export archive, got damage: {error!r}") from None


class _GraphReader:
    """Reads one archive's graph, node by node."""

    def __init__(self, archive: ExportArchive) -> None:
        self._archive = archive
        module = archive.program["graph_module"]
        self._graph: dict[str, Any] = module["graph"]
        self._signature: dict[str, Any] = module["signature"]
        self._meta: dict[str, Any] = self._graph["tensor_values"]
        self._values: dict[str, Reference | Constant] = {}
        self._memory: dict[str, str] = {}
        """The name that first stood for the memory that a value may share."""
        self._overwritten: set[str] = set()
        self._uncovered = [
            f"{name}: expected float32, got {dtype}"
            for name, dtype in archive.dtypes.items()
            if dtype in _FLOATS and dtype != "float32"
        ]

    def read(self, element: int | str | None) -> Graph:
        wanted = self._find_output(element)
        builder = self._read_inputs()
        nodes = self._graph["nodes"]
        if len(nodes) > _MAX_NODES:
            raise ValueError(f"it has {len(nodes):,} nodes")
        for node in nodes:
            self._read_node(builder, node)
        self._require_intact(wanted)
        output = self._values[wanted]
        if not isinstance(output, Reference):
            raise RunError("the output: expected one that depends on the input, got a constant")
        return Graph(
            tuple(builder.nodes),
            output.number,
            builder.shapes[0],
            dict(self._archive.tensors),
            tuple(self._uncovered),
        )

    def _read_inputs(self) -> GraphBuilder:
        shape: tuple[int, ...] | None = None
        self._batch: object = None
        for spec in self._signature["input_specs"]:
            ((kind, body),) = spec.items()
            if kind == "user_input":
                name = body["arg"]["as_tensor"]["name"]
                if shape is not None:
                    raise UncoveredError(f"{name}: expected a network with one input, got a second")
                self._batch = self._meta[name]["sizes"][0]
                shape = self._read_shape(name)
                self._values[name] = Reference(0)
            elif kind in ("parameter", "buffer", "tensor_constant"):
                name = body["arg"]["name"]
                full = body[f"{kind}_name"]
                self._values[name] = Constant(full, self._archive.tensors[full])
            else:
                raise UncoveredError(f"{kind}: expected a network of tensors alone, got this input")
        if shape is None:
            raise RunError("the input: expected a network with one input, got none")
        return GraphBuilder(shape)

    def _read_shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value for one input of the network."""
        first, *others = self._meta[name]["sizes"]
        if not _is_same_size(first, self._batch):
            raise UncoveredError(
                f"{name}: expected a first axis that counts the network's inputs, got "
                f"{_describe(first)}"
            )
        if any("as_int" not in size for size in others):
            raise UncoveredError(
                f"{name}: expected sizes that are fixed but for the first, got others"
            )
        return tuple(map(read_size, others))

    def _read_node(self, builder: GraphBuilder, node: dict[str, Any]) -> None:
        target = str(node["target"])
        if target.removeprefix(_PREFIX) in IGNORED:
            return
        name = self._name_layer(node)
        make = OPERATORS.get(target.removeprefix(_PREFIX)) if _PREFIX in target else None
        if make is None:
            raise UncoveredError(f"{name}: expected a known operator, got {target}")
        output = node["outputs"][0]["as_tensor"]["name"]
        self._follow_memory(node, target.removeprefix(_PREFIX).partition(".")[0], output)
        arguments = Arguments(
            name,
            {item["name"]: self._decode(item["arg"]) for item in node["inputs"]},
            lambda: self._read_shape(output),
        )
        value = make(builder, arguments)
        if isinstance(value, Reference):
            claimed, found = self._read_shape(output), builder.shapes[value.number]
            if claimed != found:
                raise RunError(f"{name}: expected shape {claimed} as the file says, got {found}")
            self._check_dtype(name, output, target)
        self._values[output] = value

    def _check_dtype(self, name: str, output: str, target: str) -> None:
        """Refuse arithmetic in whole numbers, which wraps; note floats that are not covered."""
        dtype = name_dtype(self._meta[output]["dtype"])
        kind = target.removeprefix(_PREFIX).partition(".")[0]
        if dtype not in _FLOATS and kind not in VIEWS | {"_to_copy", "clone"}:
            raise UncoveredError(f"{name}: expected arithmetic in float32, got {dtype}")
        if dtype in _FLOATS and dtype != "float32":
            self._uncovered.append(f"{name}: expected float32, got {dtype}")

    def _follow_memory(self, node: dict[str, Any], kind: str, output: str) -> None:
        """Refuse a value that an operator has overwritten; those end with an underscore."""
        arguments = [item["arg"] for item in node["inputs"]]
        names = [arg["as_tensor"]["name"] for arg in arguments if "as_tensor" in arg]
        names += [part["name"] for arg in arguments for part in arg.get("as_tensors", ())]
        for name in names:
            self._require_intact(name)
        if not names:
            return
        memory = self._memory.get(names[0], names[0])
        if kind in VIEWS:
            self._memory[output] = memory
        elif kind.endswith("_"):
            if isinstance(self._values[names[0]], Constant):
                raise RunError(
                    f"{names[0]}: expected a buffer that stays as it is, got a network in training "
                    "mode; export it after model.eval()"
                )
            self._overwritten.add(memory)

    def _require_intact(self, name: str) -> None:
        if self._memory.get(name, name) in self._overwritten:
            raise UncoveredError(
                f"{name}: expected a value that stays as it is, got one overwritten"
            )

    def _name_layer(self, node: dict[str, Any]) -> str:
        """The module whose parameters a node takes, else the node's own name."""
        for item in node["inputs"]:
            tensor = item["arg"].get("as_tensor")
            value = self._values.get(tensor["name"]) if tensor else None
            if isinstance(value, Constant) and "." in value.name:
                return value.name.rpartition(".")[0]
        return str(node.get("name") or node["outputs"][0]["as_tensor"]["name"])

    def _decode(self, argument: dict[str, Any]) -> Any:
        ((kind, value),) = argument.items()
        match kind:
            case "as_tensor":
                return self._values[value["name"]]
            case "as_tensors":
                return [self._values[item["name"]] for item in value]
            case "as_none":
                return None
            case "as_int" | "as_ints" | "as_float" | "as_floats" | "as_bool" | "as_string":
                return value
            case "as_scalar_type":
                return name_dtype(value)
            case "as_optional_tensor":
                return self._decode(value)
        return Ellipsis  # such as sizes with the number of inputs; no operator computes with it

    def _find_output(self, element: int | str | None) -> str:
        names = []
        for spec in self._signature["output_specs"]:
            ((kind, body),) = spec.items()
            if kind != "user_output":
                raise RunError(
                    f"{kind}: expected a network that changes nothing, got one in training mode; "
                    "export it after model.eval()"
                )
            names.append(body["arg"]["as_tensor"]["name"])
        if isinstance(element, str):
            element = self._list_keys().index(element)
        if element is None and len(names) != 1:
            raise RunError(f"the output: expected one, got {len(names)}; say which of them counts")
        if not 0 <= (element or 0) < len(names):
            raise RunError(f"the output: expected at most {len(names)}, got number {element}")
        name: str = names[element or 0]
        return name

    def _list_keys(self) -> list[str]:
        """The keys of an output that is a dictionary, in the order of its values."""
        root = self._archive.program["graph_module"]["module_call_graph"][0]
        keys = json.loads(json.loads(root["signature"]["out_spec"])[1]["context"])
        return list(map(str, keys))


def _is_same_size(size: dict[str, Any], other: object) -> bool:
    if not isinstance(other, dict):
        return False
    if "as_expr" in size and "as_expr" in other:
        return bool(size["as_expr"]["expr_str"] == other["as_expr"]["expr_str"])
    return bool(size == other)


def _describe(size: dict[str, Any]) -> str:
    return str(size["as_int"]) if "as_int" in size else str(size["as_expr"]["expr_str"])
