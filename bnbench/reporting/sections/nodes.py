"""The nodes that trials ran on, and which node's times the report shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bnbench.records import LOCAL_NODE, EnvironmentRecord
from bnbench.reporting.trials import RunTrials, find_group
from bnbench.reporting.wording import format_count


@dataclass(frozen=True)
class NodeSummary:
    """A node, and how many trials it ran."""

    name: str
    environment: EnvironmentRecord
    num_trials: int


@dataclass(frozen=True)
class TimedNode:
    """The node whose times are reported, for trials of one purpose, device and engine."""

    purpose: str
    device: str
    engine: str
    node: str
    num_trials: int
    """Trials that ran on this node."""
    num_left_out: int
    """Trials that ran on other nodes: their accuracy counts, their seconds do not."""


@dataclass(frozen=True)
class NodesSummary:
    """Where trials ran."""

    nodes: tuple[NodeSummary, ...]
    """Empty where all trials ran in the process of the study."""
    timed: tuple[TimedNode, ...]
    """One per group of trials that ran on several nodes."""


def summarize_nodes(
    trials: RunTrials, environments: Mapping[str, EnvironmentRecord]
) -> NodesSummary:
    """Count the trials of each node, and name the nodes whose times are shown."""
    counts = Counter(record.node for record in trials.records)
    by_group = Counter((find_group(record), record.node) for record in trials.records)
    of_groups = Counter(find_group(record) for record in trials.records)
    return NodesSummary(
        nodes=tuple(
            NodeSummary(name, environments[name], counts[name])
            for name in sorted(counts)
            if name != LOCAL_NODE and name in environments
        ),
        timed=tuple(
            TimedNode(*group, node, by_group[group, node], num_left_out)
            for group, node in trials.timed_nodes.items()
            if (num_left_out := of_groups[group] - by_group[group, node])
        ),
    )


def say_nodes(summary: NodesSummary) -> tuple[str, ...]:
    """Which times the report leaves out, one paragraph per group of trials."""
    kinds = {
        "time": "Timed trials",
        "score": "Scored trials",
        "alternate": "Scored trials at other rates",
        "tune": "Tuning trials",
    }
    return tuple(
        f"{kinds[timed.purpose]} ({timed.engine} engine, {timed.device}) ran on several nodes. "
        f"Their times are those of node {timed.node}; the times of "
        f"{format_count(timed.num_left_out, 'trial')} on other nodes are left out, since times of "
        "different nodes are not comparable."
        for timed in summary.timed
    )


def list_nodes(summary: NodesSummary) -> tuple[tuple[str, str], ...]:
    """Rows of the environment's table: each node and what it is."""
    return tuple(
        (
            f"node {node.name}",
            f"{format_count(node.num_trials, 'trial')}: {node.environment.cpu}, "
            f"{format_count(node.environment.cores, 'core')}, "
            f"{node.environment.instruction_set or 'instruction set not known'}, "
            + ", ".join(f"{name} {model}" for name, model in node.environment.devices.items()),
        )
        for node in summary.nodes
    )
