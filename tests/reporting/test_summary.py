import pytest

from bnbench.records import ChosenRateRecord
from bnbench.specs import TuningSpec
from bnbench.stats import Outcome
from tests.reporting.conftest import MakeRun, diverge, separate, summarize


def test_differences_are_the_candidate_minus_the_first_variant(make_run: MakeRun) -> None:
    (contrast,) = summarize(make_run(separate)).accuracy.contrasts
    assert (contrast.baseline, contrast.candidate, contrast.num_pairs) == (
        "baseline",
        "batchnorm",
        3,
    )
    assert [d.value for d in contrast.differences] == pytest.approx([0.2, 0.2])


def test_only_seeds_with_both_trials_are_compared(make_run: MakeRun) -> None:
    store = make_run(
        separate, only=lambda trial: trial.seed < 2 or trial.variant.name == "baseline"
    )
    summary = summarize(store)
    assert summary.accuracy.contrasts[0].num_pairs == 2
    assert [variant.num_trials for variant in summary.accuracy.variants] == [3, 2]
    assert summary.failures.num_pending == 1


def test_a_diverged_trial_counts_as_lost_but_not_into_the_mean(make_run: MakeRun) -> None:
    summary = summarize(make_run(diverge, seeds=tuple(range(30))))
    (contrast,) = summary.accuracy.contrasts
    assert contrast.decision.outcome is Outcome.BETTER
    assert contrast.improvement.num_wins == 30
    assert contrast.differences[-1].value is None
    assert [variant.num_failed for variant in summary.accuracy.variants] == [30, 0]
    assert len(summary.failures.failed) == 30


def test_the_target_is_the_level_half_of_the_baselines_trials_reach(make_run: MakeRun) -> None:
    summary = summarize(make_run(separate))
    assert summary.time_to_target.targets == {"cpu": pytest.approx(0.551)}
    assert [
        a.convergence.num_arrived for a in summary.time_to_target.arrivals if a.convergence
    ] == [2, 3]


def test_time_per_epoch_comes_from_trials_run_one_at_a_time(make_run: MakeRun) -> None:
    alone = summarize(make_run(separate))
    assert [(time.engine, time.result.ratio.value) for time in alone.epoch_time] == [
        ("reference", pytest.approx(1.2))
    ]
    shared = summarize(make_run(separate, engine="native"))
    assert [time.engine for time in shared.epoch_time] == ["reference", "native"]


def test_a_rate_not_tried_yet_is_not_taken_for_one_that_diverged(make_run: MakeRun) -> None:
    tuning = TuningSpec((0.1, 1.0), (100, 101), 20)
    begun = make_run(separate, tuning=tuning, only=lambda trial: trial.seed == 100)
    assert summarize(begun).rates == ()


def test_a_variant_that_trains_at_no_rate_is_not_waited_for(make_run: MakeRun) -> None:
    store = make_run(
        diverge, tuning=TuningSpec((0.1,), (100,), 20), rates={("batchnorm", "cpu"): 0.1}
    )
    assert summarize(store).failures.num_pending == 0


def test_the_learning_rate_is_the_one_on_record(make_run: MakeRun) -> None:
    rates = {("baseline", "cpu"): 1.0, ("batchnorm", "cpu"): 0.1}
    store = make_run(separate, tuning=TuningSpec((0.1, 1.0), (100,), 20), rates=rates)
    store.write_rates([ChosenRateRecord("baseline", "cpu", 0.5)])
    summary = summarize(store)
    # The study's own rate where none was chosen.
    assert [variant.learning_rate for variant in summary.accuracy.variants] == [0.5, 0.1]
