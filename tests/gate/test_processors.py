import os
from pathlib import Path

import pytest

from bnbench.gate.processors import choose_processors


def describe(folder: Path, cores: list[int]) -> Path:
    """A machine that has a processor of each of these cores."""
    for processor, core in enumerate(cores):
        topology = folder / f"cpu{processor}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(f"{core}\n")
    return folder


@pytest.mark.parametrize(
    ("cores", "allowed", "chosen"),
    [
        ([0, 1, 2, 3], {0, 1, 2, 3}, (0, 1)),
        ([0, 0, 1, 1], {0, 1, 2, 3}, (0, 2)),
        ([0, 0, 1, 1], {1, 2, 3}, (1, 2)),
        ([0, 0], {0, 1}, (0, 1)),
        ([0, 1], {1}, None),
    ],
)
def test_two_processors_of_different_cores_are_chosen_if_there_are(
    cores: list[int],
    allowed: set[int],
    chosen: tuple[int, int] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed)
    assert choose_processors(describe(tmp_path, cores)) == chosen


def test_where_the_system_tells_nothing_any_two_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7})
    assert choose_processors(tmp_path) == (3, 7)


def test_where_no_process_may_choose_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert choose_processors() is None
