import dataclasses
import math
from collections.abc import Callable

import pytest

from bnbench.records import TrialRecord
from bnbench.specs import EngineName, StudySpec, TuningSpec
from bnbench.tuning import choose_rates, list_rounds, list_tuning_trials
from tests.conftest import make_epochs

ENGINES: dict[str, EngineName] = {"cpu": "reference"}
Accuracy = Callable[[float, int], float]
"""Of a trial by its rate and seed."""


def peak_at(rate: float) -> Accuracy:
    """An accuracy that falls by a point per octave from the best rate, and rises with the seed."""
    return lambda tried, seed: 0.8 - 0.01 * abs(math.log2(tried / rate)) + 0.001 * seed


@pytest.fixture
def racing(small_study: StudySpec) -> StudySpec:
    tuning = TuningSpec(
        (0.01, 0.04, 0.16, 0.64),
        seeds=(10, 11, 12, 13, 14),
        num_validation_images=50,
        refine=True,
        refine_octaves=(1.0, 0.5),
        num_first_seeds=2,
        num_finalists=3,
    )
    return dataclasses.replace(small_study, tuning=tuning)


def race(study: StudySpec, accuracies: dict[str, Accuracy]) -> list[TrialRecord]:
    """Run all rounds, each with the accuracies of its variants."""
    records: list[TrialRecord] = []
    for _ in list_rounds(study, ()):
        for trial in list_tuning_trials(study, ENGINES, records):
            if trial not in {record.trial for record in records}:
                reached = accuracies[trial.variant.name](trial.recipe.learning_rate, trial.seed)
                records.append(TrialRecord(trial, "finished", make_epochs([reached])))
    return records


def list_tried(records: list[TrialRecord], variant: str) -> dict[float, int]:
    tried: dict[float, int] = {}
    for record in records:
        if record.trial.variant.name == variant:
            rate = record.trial.recipe.learning_rate
            tried[rate] = tried.get(rate, 0) + 1
    return dict(sorted(tried.items()))


def test_rates_close_in_on_the_best_and_only_the_best_three_get_all_seeds(
    racing: StudySpec,
) -> None:
    records = race(racing, {"baseline": peak_at(0.3), "batchnorm": peak_at(0.04)})
    # 0.16 is nearest to 0.3 on the grid, then its octave 0.32, then half octaves beside that.
    assert list_tried(records, "baseline") == {
        0.01: 2,
        0.04: 2,
        0.08: 2,
        0.16: 2,
        0.226274: 5,
        0.32: 5,
        0.452548: 5,
        0.64: 2,
    }
    assert list_tried(records, "batchnorm") == {
        0.01: 2,
        0.02: 2,
        0.0282843: 5,
        0.04: 5,
        0.0565685: 5,
        0.08: 2,
        0.16: 2,
        0.64: 2,
    }
    assert [rate.learning_rate for rate in choose_rates(racing, records)] == [0.32, 0.04]


def test_every_variant_gets_the_same_numbers_of_rates_and_seeds(racing: StudySpec) -> None:
    # One is best in the middle of the grid, the other at its end, where octaves go beyond it.
    records = race(racing, {"baseline": peak_at(0.04), "batchnorm": peak_at(2.0)})
    tried = [list_tried(records, name) for name in ("baseline", "batchnorm")]
    assert [sorted(each.values()) for each in tried] == [[2] * 5 + [5] * 3] * 2
    assert max(tried[1]) == pytest.approx(1.28 * 2**0.5, rel=1e-5)


def test_a_rate_with_few_seeds_is_not_chosen_however_high_they_are(racing: StudySpec) -> None:
    def lucky(rate: float, seed: int) -> float:
        return 0.9 if rate == 0.01 else peak_at(0.16)(rate, seed)

    records = race(racing, {"baseline": peak_at(0.16), "batchnorm": lucky})
    kept = [r for r in records if r.trial.recipe.learning_rate != 0.01 or r.trial.seed < 12]
    assert choose_rates(racing, records)[1].learning_rate == 0.01
    assert choose_rates(racing, kept)[1].learning_rate != 0.01


def test_a_round_is_known_once_the_round_before_is_on_record(racing: StudySpec) -> None:
    records = race(racing, {"baseline": peak_at(0.3), "batchnorm": peak_at(0.04)})
    grid = [r for r in records if r.trial.recipe.learning_rate in racing.tuning.learning_rates]  # type: ignore[union-attr]
    first = [record for record in grid if record.trial.seed < 12]
    rounds = list_rounds(racing, first[:-1])
    assert [each.name for each in rounds] == ["tuning", "refining", "refining", "finalists"]
    assert [len(each.rates) for each in rounds] == [2, 1, 0, 0]
    assert [len(each.rates) for each in list_rounds(racing, first)] == [2, 2, 0, 0]
    assert list_rounds(racing, first)[1].rates["baseline", "cpu"] == (0.08, 0.32)
    # What later rounds find does not change what an earlier one tried.
    assert list_rounds(racing, records)[:2] == list_rounds(racing, first)[:2]


def test_a_variant_that_no_rate_trains_has_no_later_rounds(racing: StudySpec) -> None:
    records = race(racing, {"baseline": peak_at(0.16), "batchnorm": lambda _rate, _seed: 0.1})
    assert set(list_tried(records, "batchnorm").values()) == {2}
    assert [rate.variant for rate in choose_rates(racing, records)] == ["baseline"]


def test_tuning_of_before_the_race_tries_every_rate_with_every_seed(
    small_study: StudySpec,
) -> None:
    tuning = TuningSpec((0.1, 0.2), (10, 11, 12), num_validation_images=50, refine=True)
    study = dataclasses.replace(small_study, tuning=tuning)
    records = race(study, {"baseline": peak_at(0.1), "batchnorm": peak_at(0.2)})
    assert list_tried(records, "baseline") == {0.0707107: 3, 0.1: 3, 0.141421: 3, 0.2: 3}
    assert list_tried(records, "batchnorm") == {0.1: 3, 0.141421: 3, 0.2: 3, 0.282843: 3}
    assert [each.name for each in list_rounds(study, ())] == ["tuning", "refining"]


def test_a_study_without_tuning_has_no_rounds(small_study: StudySpec) -> None:
    assert list_rounds(small_study, ()) == ()
    assert list_tuning_trials(small_study, ENGINES, ()) == ()
