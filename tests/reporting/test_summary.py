import pytest

from bnbench.reporting.summary import summarize_run
from bnbench.specs import TuningSpec
from bnbench.stats import Outcome
from tests.reporting.conftest import MakeRun, diverge, separate


def test_differences_are_the_candidate_minus_the_first_variant(make_run: MakeRun) -> None:
    (contrast,) = summarize_run(make_run(separate)).contrasts
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
    summary = summarize_run(store)
    assert summary.contrasts[0].num_pairs == 2
    assert [variant.num_trials for variant in summary.variants] == [3, 2]
    assert summary.num_pending == 1


def test_a_diverged_trial_counts_as_lost_but_not_into_the_mean(make_run: MakeRun) -> None:
    summary = summarize_run(make_run(diverge, seeds=tuple(range(30))))
    (contrast,) = summary.contrasts
    assert contrast.decision.outcome is Outcome.BETTER
    assert contrast.improvement.num_wins == 30
    assert contrast.differences[-1].value is None
    assert (summary.variants[0].num_failed, summary.variants[1].num_failed) == (30, 0)
    assert len(summary.failures) == 30


def test_the_target_is_the_level_half_of_the_baselines_trials_reach(make_run: MakeRun) -> None:
    summary = summarize_run(make_run(separate))
    assert summary.targets == {"cpu": pytest.approx(0.551)}
    assert [v.convergence.num_arrived for v in summary.variants if v.convergence] == [2, 3]


def test_time_per_epoch_comes_from_trials_run_one_at_a_time(make_run: MakeRun) -> None:
    alone = summarize_run(make_run(separate))
    assert [(time.engine, time.result.ratio.value) for time in alone.times] == [
        ("reference", pytest.approx(1.2))
    ]
    shared = summarize_run(make_run(separate, engine="native"))
    assert [time.engine for time in shared.times] == ["reference", "native"]


def test_a_rate_not_tried_yet_is_not_taken_for_one_that_diverged(make_run: MakeRun) -> None:
    tuning = TuningSpec((0.1, 1.0), (100, 101), 20)
    begun = make_run(separate, tuning=tuning, only=lambda trial: trial.seed == 100)
    assert summarize_run(begun).sensitivities == ()


def test_a_variant_that_trains_at_no_rate_is_not_waited_for(make_run: MakeRun) -> None:
    store = make_run(
        diverge, tuning=TuningSpec((0.1,), (100,), 20), rates={("batchnorm", "cpu"): 0.1}
    )
    assert summarize_run(store).num_pending == 0
