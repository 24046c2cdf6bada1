"""A network as a graph of known operators, in the order in which they are applied.

This is the form that the binary64 reference and the certificate work on, whatever file the network
was read from.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.operators.affine import Affine, BatchNorm
from bnbench.models.operators.elementwise import Sum
from bnbench.models.operators.interface import Array, Operator
from bnbench.models.operators.products import Convolution, Linear, UnitFactor
from bnbench.models.operators.shapes import Permute, Reshape


class UncoveredError(RunError):
    """A sound file holds a network that the reference can't evaluate; the text names why."""


@dataclass(frozen=True, eq=False)
class Node:
    """One operator and where its inputs come from."""

    name: str
    """The layer's, or the operator's in the file."""
    operator: Operator
    inputs: tuple[int, ...]
    """Values by number: 0 is the network's input, `k` the output of the graph's `k`-th node."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A feed-forward network from one input to one output."""

    nodes: tuple[Node, ...]
    """Each takes only values before its own."""
    output: int
    """The number of the value that the network gives, such as its logits."""
    input_shape: tuple[int, ...] | None
    """Of one input; None where any shape with the right number of values will do."""
    tensors: dict[str, NDArray[Any]]
    """Every parameter and buffer by the name torch gives it."""
    uncovered: tuple[str, ...] = ()
    """What the file holds that the bound does not cover; empty for nearly all."""

    def count_largest_value(self, shape: tuple[int, ...]) -> int:
        """Numbers in the largest value that one input of this shape makes."""
        sizes: list[int] = []
        self.evaluate(np.zeros((1, *shape)), lambda value: sizes.append(value.size))
        return max(sizes)

    def evaluate(self, inputs: Array, on_value: Callable[[Array], object] | None = None) -> Array:
        """The output in binary64, shape (num_inputs, ...).

        `on_value` is called with each value, the inputs first.
        """
        num_uses = Counter(source for node in self.nodes for source in node.inputs)
        num_uses[self.output] += 1
        values: dict[int, Array] = {0: inputs}
        if on_value is not None:
            on_value(inputs)
        for number, node in enumerate(self.nodes, start=1):
            values[number] = node.operator.apply([values[source] for source in node.inputs])
            if on_value is not None:
                on_value(values[number])
            for source in node.inputs:
                num_uses[source] -= 1
                if num_uses[source] == 0:
                    values.pop(source, None)  # a value that nobody takes any more costs memory
        return values[self.output]


def join_stages(graph: Graph) -> Graph:
    """Put each normalization into the sum of products before it, as runtimes may fold it.

    A sum with another value learns how many terms a runtime may add up at once with it.
    """
    num_uses = Counter(source for node in graph.nodes for source in node.inputs)
    num_uses[graph.output] += 1
    nodes: list[Node] = []
    places = {0: 0}
    for number, node in enumerate(graph.nodes, start=1):
        sources = tuple(places[source] for source in node.inputs)
        before = nodes[sources[0] - 1] if sources and sources[0] > 0 else None
        operator = node.operator
        joined = None
        if before is not None and num_uses[node.inputs[0]] == 1:
            joined = _join(before.operator, operator)
        if before is not None and joined is not None:
            nodes[sources[0] - 1] = dataclasses.replace(before, operator=joined)
            places[number] = sources[0]
            continue
        if isinstance(operator, Sum):
            longest = max(_count_terms(nodes, source) for source in sources)
            operator = dataclasses.replace(operator, num_terms=longest + 1)
        nodes.append(Node(node.name, operator, sources))
        places[number] = len(nodes)
    return dataclasses.replace(graph, nodes=tuple(nodes), output=places[graph.output])


def _join(first: Operator, second: Operator) -> Affine | None:
    """A sum of products and the normalization of its units as one operator, if they are that."""
    if not (isinstance(first, Affine) and isinstance(second, Affine)):
        return None
    if first.norm is not None or not isinstance(second.product, UnitFactor):
        return None
    match first.product:
        case Linear():
            is_of_units = second.product.num_axes == 0
        case Convolution():
            is_of_units = second.product.num_axes == 2
        case _:
            is_of_units = False
    return Affine(first.product, second.norm) if is_of_units else None


def _count_terms(nodes: Sequence[Node], source: int) -> int:
    """Terms that a runtime may add up to one value."""
    if source == 0:
        return 0
    node = nodes[source - 1]
    match node.operator:
        case Affine() | Sum() as operator:
            return operator.num_terms
        case Reshape() | Permute():
            return _count_terms(nodes, node.inputs[0])
    return 0


def make_batch_norm(norm: BatchNorm, num_axes: int) -> Affine:
    """A batch normalization as a node of its own; `num_axes` are behind the units' axis."""
    return Affine(UnitFactor(norm.name, len(norm.weight), num_axes), norm)
