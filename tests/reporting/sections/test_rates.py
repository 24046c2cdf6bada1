import dataclasses

import pytest

from bnbench.records import TrialRecord
from bnbench.reporting.sections.rates import compose_rates, summarize_rates
from bnbench.reporting.trials import RunTrials
from bnbench.specs import StudySpec, TuningSpec
from bnbench.tuning import list_rounds, list_tuning_trials
from tests.conftest import REFERENCE, SYNTHETIC, fake_record


@pytest.fixture
def racing(small_study: StudySpec) -> StudySpec:
    tuning = TuningSpec(
        (0.1, 0.4),
        (7, 8, 9),
        50,
        refine=True,
        refine_octaves=(1.0, 0.5),
        num_first_seeds=2,
        num_finalists=1,
    )
    return dataclasses.replace(small_study, tuning=tuning)


def race(study: StudySpec) -> list[TrialRecord]:
    records: list[TrialRecord] = []
    for _ in list_rounds(study, ()):
        trials = list_tuning_trials(study, REFERENCE, records)
        records = [fake_record(trial) for trial in trials]
    return records


def test_the_budget_of_a_race_is_stated(racing: StudySpec) -> None:
    trials = RunTrials(racing, SYNTHETIC, tuple(race(racing)))
    section = compose_rates(summarize_rates(trials), racing, trials.data)
    assert section is not None
    assert section.paragraphs[0].startswith(
        "Each variant was trained at 2 learning rates from 0.1 to 0.4, with 2 seeds each, and at "
        "two rates each one octave and half an octave beside its best. Its best rate got 3 "
        "seeds. 50 training images were held back"
    )


def test_a_tuning_of_one_round_is_stated_as_before(small_study: StudySpec) -> None:
    study = dataclasses.replace(small_study, tuning=TuningSpec((0.1, 0.4), (7, 8), 50, refine=True))
    section = compose_rates(
        summarize_rates(RunTrials(study, SYNTHETIC, tuple(race(study)))), study, SYNTHETIC
    )
    assert section is not None
    assert section.paragraphs[0].startswith(
        "Each variant was trained at 2 learning rates from 0.1 to 0.4, with 2 seeds each, and at "
        "two rates half an octave beside its best. 50 training images"
    )


def test_each_rate_counts_its_own_trials_and_only_a_finalist_is_best(racing: StudySpec) -> None:
    (baseline, _) = summarize_rates(RunTrials(racing, SYNTHETIC, tuple(race(racing))))
    # All rates are equal here, so the smallest is best in every round.
    found = {rate.learning_rate: rate.num_trials for rate in baseline.result.rates}
    assert found == {0.0353553: 3, 0.05: 2, 0.0707107: 2, 0.1: 2, 0.2: 2, 0.4: 2}
    assert baseline.result.best_rate == 0.0353553


def test_a_race_that_is_not_over_is_not_reported(racing: StudySpec) -> None:
    records = race(racing)
    for missing in (records[-1], records[len(records) // 2]):
        rest = tuple(record for record in records if record != missing)
        shown = summarize_rates(RunTrials(racing, SYNTHETIC, rest))
        assert missing.trial.variant.name not in {each.variant for each in shown}
