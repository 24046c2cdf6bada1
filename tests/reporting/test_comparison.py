import dataclasses

import pytest

from bnbench.errors import RunError
from bnbench.reporting.comparison import compare_runs, tabulate_comparison
from bnbench.specs import RecipeSpec, TrialSpec, VariantSpec
from bnbench.stats import Outcome
from bnbench.store import RunStore
from tests.reporting.conftest import MakeRun, separate

THIRTY = tuple(range(30))


def improve(trial: TrialSpec) -> list[float] | None:
    accuracies = separate(trial)
    return accuracies and [accuracy + 0.1 for accuracy in accuracies]


def test_a_run_that_is_better_at_every_seed_is_better(make_run: MakeRun) -> None:
    first, second = make_run(separate, seeds=THIRTY), make_run(improve, seeds=THIRTY)
    comparison = compare_runs(first, second)
    assert [found.variant for found in comparison.variants] == ["baseline", "batchnorm"]
    for found in comparison.variants:
        assert found.difference.value == pytest.approx(0.1)
        assert found.decision.outcome is Outcome.BETTER
        assert found.time_ratio is not None
        assert found.time_ratio.value == pytest.approx(1.0)
    assert (comparison.conditions, comparison.refusals) == ((), ())
    assert len(tabulate_comparison(comparison).rows) == 2


def test_a_run_against_itself_shows_no_difference(make_run: MakeRun) -> None:
    run = make_run(separate, seeds=THIRTY)
    for found in compare_runs(run, run).variants:
        assert found.difference.value == 0.0
        assert found.decision.outcome is Outcome.NOT_MEANINGFULLY_BETTER


def test_what_differs_is_listed(make_run: MakeRun) -> None:
    first = make_run(separate)
    second = make_run(separate, engine="native", recipe=RecipeSpec(2, 32, 0.5))
    conditions = compare_runs(first, second).conditions
    assert "learning_rate was 0.1, is now 0.5" in conditions
    assert "the engine on cpu was reference, is now native" in conditions


def test_times_of_other_batch_sizes_are_refused(make_run: MakeRun) -> None:
    first, second = make_run(separate), make_run(separate, recipe=RecipeSpec(2, 64, 0.1))
    comparison = compare_runs(first, second)
    assert comparison.variants[0].time_ratio is None
    assert "different batch sizes" in comparison.refusals[0]


def test_a_variant_that_one_run_lacks_is_named(make_run: MakeRun) -> None:
    first = make_run(separate)
    second = make_run(separate, variants=first.study.variants[:1])
    assert compare_runs(first, second).refusals == (
        "batchnorm on cpu: only the first run has trials of it",
    )


def test_runs_with_nothing_in_common_are_refused_with_the_reason(make_run: MakeRun) -> None:
    first = make_run(separate, seeds=(0, 1))
    with pytest.raises(RunError, match="no seed in common"):
        compare_runs(first, make_run(separate, seeds=(5, 6)))
    renamed = tuple(
        VariantSpec(variant.name, (99,), variant.normalization) for variant in first.study.variants
    )
    with pytest.raises(RunError, match="this name for different networks"):
        compare_runs(first, make_run(separate, seeds=(0, 1), variants=renamed))


def test_runs_on_other_data_are_refused(make_run: MakeRun) -> None:
    first = make_run(separate)
    other = RunStore(
        first.folder,
        first.study,
        first.engines,
        dataclasses.replace(first.data, num_train_images=7),
        first.environment,
    )
    with pytest.raises(RunError, match="expected runs on the same data"):
        compare_runs(first, other)
