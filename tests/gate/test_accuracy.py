from pathlib import Path

import numpy as np
import pytest

from bnbench.errors import GateError
from bnbench.gate.accuracy import compare_accuracies, measure_accuracies, read_accuracies
from bnbench.gate.revisions import RevisionFolder
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

SPEC = GateSpec()
SEEDS = range(10)


def make_accuracies(seed: int = 0, loss: float = 0.0, spread: float = 0.0) -> dict[int, float]:
    """Seeds differ by a point; the change by `spread` where it is only rounding."""
    levels = np.random.default_rng(1).normal(0.85, 0.01, len(SEEDS))
    changes = np.random.default_rng(seed).normal(-loss, spread, len(SEEDS))
    return dict(enumerate((levels + changes).tolist()))


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (make_accuracies(), ChangeOutcome.NOT_WORSE),
        (make_accuracies(2, spread=0.001), ChangeOutcome.NOT_WORSE),
        (make_accuracies(3, loss=0.01, spread=0.002), ChangeOutcome.WORSE),
        (make_accuracies(4, loss=0.001, spread=0.0005), ChangeOutcome.NOT_WORSE),
        (make_accuracies(5, loss=-0.01, spread=0.002), ChangeOutcome.BETTER),
        (make_accuracies(10, spread=0.02), ChangeOutcome.UNDECIDED),
    ],
)
def test_accuracy_is_judged_seed_by_seed(head: dict[int, float], outcome: ChangeOutcome) -> None:
    (found,) = compare_accuracies({"model": make_accuracies()}, {"model": head}, SPEC)
    assert found.outcome is outcome
    assert found.difference == pytest.approx(found.head_mean - found.base_mean, abs=0.003)
    assert (found.num_more is None) is (outcome is not ChangeOutcome.UNDECIDED)


def test_too_few_seeds_say_how_many_more_are_needed() -> None:
    base = dict.fromkeys(range(4), 0.8)
    (found,) = compare_accuracies({"model": base}, {"model": dict.fromkeys(base, 0.7)}, SPEC)
    assert (found.outcome, found.low, found.num_more) == (ChangeOutcome.UNDECIDED, None, 3)


def test_only_seeds_and_variants_of_both_are_compared() -> None:
    base = {"model": make_accuracies(), "old": {0: 0.5}}
    head = {"new": {0: 0.1}, "model": {seed: make_accuracies()[seed] for seed in (0, 1, 2)}}
    (found,) = compare_accuracies(base, head, SPEC)
    assert (found.variant, found.num_seeds) == ("model", 3)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ({"other": {0: 0.5}}, "got model in base and other in head"),
        ({"model": {10: 0.5}}, "got none; train both with the same seeds"),
    ],
)
def test_what_has_nothing_in_common_is_refused(
    head: dict[str, dict[int, float]], words: str
) -> None:
    with pytest.raises(GateError, match=words):
        compare_accuracies({"model": make_accuracies()}, head, SPEC)


def test_the_last_epoch_of_each_seed_counts(tmp_path: Path) -> None:
    (tmp_path / "epochs.csv").write_text(
        "variant,seed,epoch,test_accuracy\nb,0,1,0.5\nb,0,2,0.7\nb,1,2,0.8\nb,1,1,0.6\nc,0,1,0.4\n"
    )
    assert read_accuracies(tmp_path / "epochs.csv") == {"b": {0: 0.7, 1: 0.8}, "c": {0: 0.4}}


@pytest.mark.parametrize("text", ["seed,loss\n0,1\n", "seed,test_accuracy\n0,good\n", None])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "epochs.csv").write_text(text)
    with pytest.raises(GateError, match="expected a table with the columns seed and test_accuracy"):
        read_accuracies(tmp_path / "epochs.csv")


def test_a_command_runs_in_its_revision_with_its_packages(project: Path, tmp_path: Path) -> None:
    revision = RevisionFolder("main", "", project, (project,))
    command = (
        'mkdir "$GATE_OUT" && python -c "import scratch_project as s; print(s.__file__)" && '
        'printf "seed,test_accuracy\\n0,0.5\\n1,0.25\\n" > "$GATE_OUT/epochs.csv"'
    )
    found = measure_accuracies(revision, command, tmp_path / "out")
    assert found == {"model": {0: 0.5, 1: 0.25}}
    with pytest.raises(GateError, match=r"(?s)main: expected exit code 0 .*got 3; .*no data"):
        measure_accuracies(revision, "echo no data >&2; exit 3", tmp_path / "out")
