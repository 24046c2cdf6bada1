"""Runs of invented trials, summarized and drawn."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bnbench.inspection import InspectionRecord
from bnbench.recipes import RecipeSpec
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.reporting.figures import Figure, draw_figures
from bnbench.reporting.sections.mistakes import summarize_mistakes
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.specs import EngineName, StudySpec, TrialSpec, TuningSpec
from bnbench.store import RunStore
from tests.conftest import BASELINE, BATCHNORM, SYNTHETIC, make_epochs
from tests.inspections import INSPECTION
from tests.reporting.conftest import read_trials, summarize

RATES = (0.01, 0.1, 1.0)


TUNING = TuningSpec(RATES, seeds=(100, 101))


STUDY = StudySpec("small", (BASELINE, BATCHNORM), RecipeSpec(epochs=3), seeds=tuple(range(8)))


TUNED = replace(STUDY, tuning=TUNING)


Change = Callable[[TrialRecord], TrialRecord]


@dataclass
class Drawer:
    """Makes a run of fake trials in a folder, and draws it."""

    folder: Path
    environment: EnvironmentRecord

    def summarize(
        self,
        study: StudySpec,
        change: Change = lambda record: record,
        engine: EngineName = "reference",
        num_trials: int | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> tuple[RunSummary, RunTrials]:
        engines = dict.fromkeys(study.devices, engine)
        chosen = rates if rates is not None else {v.name: 0.1 for v in study.variants}
        trials = (
            *study.list_tuning_trials(engines),
            *study.list_scored_trials(
                engines, {(name, d): rate for name, rate in chosen.items() for d in study.devices}
            ),
            *study.list_timed_trials(engines),
        )
        folder = self.folder / f"run{len(list(self.folder.iterdir()))}"
        store = RunStore.create(folder, study, engines, SYNTHETIC, self.environment)
        with store.locked():
            for trial in trials[:num_trials]:
                store.append_trial(change(make_record(trial)))
        return summarize(store), read_trials(store)

    def draw(self, study: StudySpec, *arguments: object, **options: object) -> dict[str, Figure]:
        return draw_figures(*self.summarize(study, *arguments, **options))  # type: ignore[arg-type]

    def draw_inspection(self, inspection: InspectionRecord | None) -> dict[str, Figure]:
        summary, trials = self.summarize(replace(STUDY, seeds=(0,)))
        mistakes = summarize_mistakes(inspection)
        return draw_figures(replace(summary, inspection=inspection, mistakes=mistakes), trials)


def make_record(trial: TrialSpec) -> TrialRecord:
    """Accuracy and time depend on variant, seed and epoch; a rate of 1 diverges."""
    is_better = trial.variant.normalization == "batch"
    start = 0.5 + 0.2 * is_better + 0.004 * (trial.seed % 100)
    epochs = make_epochs([start + 0.05 * epoch for epoch in range(trial.recipe.epochs)])
    epochs = tuple(
        replace(epoch, train_seconds=2.0 + 0.5 * is_better + 0.01 * ((trial.seed + i) % 5))
        for i, epoch in enumerate(epochs)
    )
    if trial.recipe.learning_rate >= 1:
        return TrialRecord(trial, "failed", (), "diverged: a test said so")
    return TrialRecord(trial, "finished", epochs)


def fail(variant: str, num_epochs: int = 0) -> Change:
    def change(record: TrialRecord) -> TrialRecord:
        if record.trial.variant.name != variant:
            return record
        return replace(record, status="failed", epochs=record.epochs[:num_epochs], reason="it did")

    return change


@pytest.fixture
def drawer(tmp_path: Path, environment: EnvironmentRecord) -> Drawer:
    return Drawer(tmp_path, environment)


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    environment = EnvironmentRecord("", 2, 2, None, {}, "", {}, None, "2026-01-01T00:00:00+00:00")
    return Drawer(tmp_path_factory.mktemp("tuned"), environment).draw(TUNED)


@pytest.fixture
def inspected(drawer: Drawer) -> dict[str, Figure]:
    return drawer.draw_inspection(INSPECTION)


def read_svg(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(figure.svg)


def read_texts(figure: Figure) -> list[str]:
    texts = read_svg(figure).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()) for text in texts]


def count_thin_lines(figure: Figure, color: str) -> int:
    return len(re.findall(rf"stroke: var\(--\S+ {color}\);[^\"]* stroke-width: 0.8;", figure.svg))
