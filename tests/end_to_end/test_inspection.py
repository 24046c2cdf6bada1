"""A small study from its training to its report, with nothing in between replaced."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bnbench.data import Dataset
from bnbench.library.observer import RunObserver
from bnbench.library.verification import verify_models
from bnbench.records import EnvironmentRecord
from bnbench.reporting.report import write_report
from bnbench.specs import StudySpec, VariantSpec
from bnbench.store import RunStore
from bnbench.training.engines import make_engine
from bnbench.training.executors.in_process import InProcessExecutor
from bnbench.training.study import run_study
from tests.conftest import REFERENCE, SYNTHETIC, SilentObserver

TITLES = (
    "## Loss by epoch",
    "## What the networks get wrong",
    "## The images on which the networks disagree",
    "## Inside the networks: what the activations get",
    "## Inside the networks: gradients of the weights",
)
DEEP = VariantSpec("deep", (6, 5, 4), "layer", "tanh")


def complete(
    folder: Path, study: StudySpec, dataset: Dataset, environment: EnvironmentRecord
) -> str:
    """Train, verify and report a study as the program does; the report's text."""
    store = RunStore.create(folder, study, REFERENCE, SYNTHETIC, environment)
    records = run_study(store, dataset, SilentObserver(), InProcessExecutor(1, make_engine))
    verify_models(store, records, dataset, RunObserver(), ["eager"])
    write_report(store, records)
    return (folder / "report.md").read_text()


@pytest.mark.parametrize("num_variants", [1, 2, 3])
def test_a_run_is_inspected_and_its_report_shows_it(
    tmp_path: Path,
    small_study: StudySpec,
    synthetic_dataset: Dataset,
    environment: EnvironmentRecord,
    num_variants: int,
) -> None:
    study = replace(small_study, variants=(*small_study.variants, DEEP)[:num_variants])
    text = complete(tmp_path / "run", study, synthetic_dataset, environment)
    shown = [title for title in TITLES if title in text]
    # One network alone cannot disagree.
    assert shown == [t for t in TITLES if num_variants > 1 or "disagree" not in t]
    content = json.loads((tmp_path / "run" / "inspection.json").read_text())
    assert len(content["confusions"]) == num_variants
    assert sum(map(sum, content["confusions"][0]["counts"])) == 3 * 100
    for name in ("losses", "mistakes", "activations", "gradients"):
        assert (tmp_path / "run" / f"{name}.png").exists()
        assert (tmp_path / "run" / f"{name}.csv").exists()


def test_verifying_again_writes_the_same_file_and_without_it_the_sections_go(
    tmp_path: Path,
    small_study: StudySpec,
    synthetic_dataset: Dataset,
    environment: EnvironmentRecord,
) -> None:
    folder = tmp_path / "run"
    complete(folder, small_study, synthetic_dataset, environment)
    store, path = RunStore.open(folder), folder / "inspection.json"
    before = path.read_bytes()
    path.unlink()
    write_report(store, store.read_trials())
    text = (folder / "report.md").read_text()
    assert [title for title in TITLES if title in text] == [TITLES[0]]
    verify_models(store, store.read_trials(), synthetic_dataset, RunObserver(), ["eager"])
    assert path.read_bytes() == before
