"""Times of one node: what ran on another one is left out wherever seconds are compared."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.records import LOCAL_NODE, EnvironmentRecord, TrialRecord


@dataclass(frozen=True)
class TimedNode:
    """The node whose times are reported, for trials of one purpose, device and engine."""

    purpose: str
    device: str
    engine: str
    node: str
    num_trials: int
    """That ran there."""
    num_left_out: int
    """That ran on other nodes: their accuracy counts, their seconds do not."""


@dataclass(frozen=True)
class NodeSummary:
    """A node, and how many trials it ran."""

    name: str
    environment: EnvironmentRecord
    num_trials: int


def keep_times_of_one_node(
    records: Sequence[TrialRecord],
) -> tuple[list[TrialRecord], tuple[TimedNode, ...]]:
    """Blank the seconds of all trials that did not run on their group's main node.

    A group is the trials of one purpose, device and engine; its main node ran the most of them
    (the first in order of name, where several did).

    Returns:
        The records in their order, seconds of other nodes NaN; and each group's node.
    """
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for record in records:
        counts.setdefault(_find_group(record), Counter())[record.node] += 1
    nodes = {}
    for group, of_group in counts.items():
        name, num_trials = min(of_group.items(), key=lambda each: (-each[1], each[0]))
        nodes[group] = TimedNode(*group, name, num_trials, of_group.total() - num_trials)
    kept = [
        record if record.node == nodes[_find_group(record)].node else _blank_times(record)
        for record in records
    ]
    return kept, tuple(nodes.values())


def summarize_nodes(
    records: Sequence[TrialRecord], environments: dict[str, EnvironmentRecord]
) -> tuple[NodeSummary, ...]:
    """The nodes that trials ran on; none where all ran in the process of the study."""
    counts = Counter(record.node for record in records)
    return tuple(
        NodeSummary(name, environments[name], counts[name])
        for name in sorted(counts)
        if name != LOCAL_NODE and name in environments
    )


def _find_group(record: TrialRecord) -> tuple[str, str, str]:
    return record.trial.purpose, record.trial.device, record.trial.engine


def _blank_times(record: TrialRecord) -> TrialRecord:
    return dataclasses.replace(
        record,
        epochs=tuple(
            dataclasses.replace(epoch, train_seconds=math.nan, eval_seconds=math.nan)
            for epoch in record.epochs
        ),
    )
