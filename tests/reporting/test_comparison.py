import dataclasses
import json
import math

import pytest

from bnbench.errors import RunError
from bnbench.recipes import RecipeSpec
from bnbench.reporting.comparison import (
    compare_runs,
    make_comparison_json,
    tabulate_comparison,
)
from bnbench.specs import TrialSpec, VariantSpec
from bnbench.stats import Outcome
from bnbench.store import RunStore
from tests.conftest import BASELINE
from tests.reporting.conftest import MakeRun, overlap, separate

THIRTY = tuple(range(30))


def improve(trial: TrialSpec) -> list[float] | None:
    accuracies = separate(trial)
    return accuracies and [accuracy + 0.1 for accuracy in accuracies]


def test_a_run_that_is_better_at_every_seed_is_better(make_run: MakeRun) -> None:
    first, second = make_run(separate, seeds=THIRTY), make_run(improve, seeds=THIRTY)
    comparison = compare_runs(first, second)
    assert [found.variants.label for found in comparison.variants] == ["baseline", "batchnorm"]
    for found in comparison.variants:
        assert found.difference.value == pytest.approx(0.1)
        assert found.decision.outcome is Outcome.BETTER
        assert found.time_ratio is not None
        assert found.time_ratio.value == pytest.approx(1.0)
    assert (comparison.conditions, comparison.refusals) == ((), ())
    assert len(tabulate_comparison(comparison).rows) == 2


def test_a_run_against_itself_is_identical(make_run: MakeRun) -> None:
    run = make_run(separate, seeds=THIRTY)
    comparison = compare_runs(run, run)
    assert comparison.num_identical_trials == len(run.read_trials())
    for found in comparison.variants:
        assert (found.num_identical, found.is_identical) == (30, True)
        assert found.difference.value == 0.0
        assert found.decision.outcome is Outcome.NOT_MEANINGFULLY_BETTER
    (row, _) = tabulate_comparison(comparison).rows
    assert "identical" in row
    assert "30, 30 of them identical bit for bit" in row


def test_one_trial_whose_last_bit_differs_is_not_identical(make_run: MakeRun) -> None:
    def nudge(trial: TrialSpec) -> list[float] | None:
        first, last = separate(trial) or []
        is_nudged = trial.variant.name == "batchnorm" and trial.seed == 3
        return [first, math.nextafter(last, 1.0) if is_nudged else last]

    comparison = compare_runs(make_run(separate, seeds=THIRTY), make_run(nudge, seeds=THIRTY))
    assert [found.num_identical for found in comparison.variants] == [30, 29]
    assert [found.is_identical for found in comparison.variants] == [True, False]
    assert comparison.num_identical_trials is None


def test_runs_of_other_seeds_are_not_identical_even_if_the_shared_trials_are(
    make_run: MakeRun,
) -> None:
    comparison = compare_runs(make_run(separate, seeds=THIRTY), make_run(separate, seeds=(0, 1)))
    assert all(found.is_identical for found in comparison.variants)
    assert comparison.num_identical_trials is None


def test_a_map_compares_variants_of_other_names_and_says_how_their_networks_differ(
    make_run: MakeRun,
) -> None:
    first = make_run(separate)
    baseline, batchnorm = first.study.variants
    renamed = dataclasses.replace(batchnorm, name="bn")
    wide = dataclasses.replace(baseline, name="wide", hidden_sizes=(9, 9))
    second = make_run(
        lambda trial: separate(
            dataclasses.replace(trial, variant=batchnorm if trial.variant == renamed else baseline)
        ),
        variants=(wide, renamed),
    )
    comparison = compare_runs(first, second, {"batchnorm": "bn", "baseline": "wide"})
    assert [found.variants.label for found in comparison.variants] == [
        "baseline = wide",
        "batchnorm = bn",
    ]
    assert comparison.conditions == ("hidden_sizes of baseline = wide was (8, 6), is now (9, 9)",)
    with pytest.raises(RunError, match="batchnorm on cpu: only the first run has trials of it"):
        compare_runs(first, second)


def test_identical_runs_whose_variants_have_other_names_are_identical(make_run: MakeRun) -> None:
    first = make_run(overlap, variants=(BASELINE,))
    second = make_run(overlap, variants=(dataclasses.replace(BASELINE, name="plain"),))
    comparison = compare_runs(first, second, {"baseline": "plain"})
    assert comparison.variants[0].is_identical
    assert comparison.num_identical_trials == len(first.read_trials())


def test_a_comparison_is_plain_json_with_a_format_version(make_run: MakeRun) -> None:
    run = make_run(separate)
    content = make_comparison_json(compare_runs(run, run), "a", "b")
    read = json.loads(json.dumps(content, allow_nan=False))
    assert (read["format_version"], read["first"], read["second"]) == (1, "a", "b")
    assert [found["is_identical"] for found in read["variants"]] == [True, True]
    assert read["variants"][0]["variants"]["first"] == "baseline"
    assert read["variants"][0]["difference"]["value"] == 0.0


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
    other = make_run(separate, seeds=(0, 1), variants=renamed)
    with pytest.raises(RunError, match="different networks; .* by --map baseline=baseline"):
        compare_runs(first, other)
    assert compare_runs(first, other, {"baseline": "baseline"}).variants


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
