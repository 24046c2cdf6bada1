import dataclasses

from bnbench import stats
from bnbench.reporting.answer import compose_answer
from bnbench.reporting.report import compose_report
from bnbench.reporting.summary import RunSummary, summarize_run
from bnbench.specs import TimingSpec, TuningSpec, VariantSpec
from tests.reporting.conftest import MakeRun, diverge, separate, summarize

THIRTY = tuple(range(30))
FOUR = (
    VariantSpec("baseline", (8,)),
    VariantSpec("batchnorm", (8,), "batch"),
    VariantSpec("wide", (16,)),
    VariantSpec("deep", (8, 8)),
)
TUNING = TuningSpec((0.1, 1.0), (100,), 20)
RATES = {("baseline", "cpu"): 1.0, ("batchnorm", "cpu"): 0.1}


def test_at_one_learning_rate_the_answer_does_not_credit_the_technique(make_run: MakeRun) -> None:
    answer = compose_answer(summarize(make_run(separate, seeds=THIRTY)))
    assert "may suit one network better" in answer[1]


def test_the_second_paragraph_has_difference_probability_and_chosen_rates(
    make_run: MakeRun,
) -> None:
    store = make_run(separate, seeds=THIRTY, tuning=TUNING, rates=RATES)
    text = compose_answer(summarize(store))[1]
    assert "The difference after 2 epochs is +20.00 points [" in text
    assert "over 30 seeds at these learning rates." in text
    assert "A new trial of batch normalization beats one of the baseline with probability" in text
    assert "on validation images: 1 for the baseline, 0.1 for batch normalization." in text


def test_with_alternates_the_interval_is_the_nested_one_and_the_section_has_both(
    make_run: MakeRun,
) -> None:
    store = make_run(separate, seeds=THIRTY, tuning=TUNING, rates=RATES)
    summary = add_nested(summarize(store), 0.11, 0.32)
    text = compose_answer(summary)[1]
    assert (
        "is +20.00 points [+11.00, +32.00] of test accuracy, over 30 seeds and the choice" in text
    )
    section = compose_report(summary).sections[0].paragraphs[0]
    assert "after the last epoch at these learning rates." in section
    assert "0.30 points by the choice of the rates and 0.20 by the seeds." in section


def test_a_technique_is_credited_only_if_another_choice_of_rates_would_not_turn_it_around(
    make_run: MakeRun,
) -> None:
    summary = summarize(make_run(separate, seeds=THIRTY, tuning=TUNING, rates=RATES))
    assert compose_answer(add_nested(summary, 0.01, 0.32))[0].startswith(
        "Batch normalization helps"
    )
    assert compose_answer(add_nested(summary, -0.01, 0.32))[0].startswith(
        "Batch normalization is ahead"
    )


def add_nested(summary: RunSummary, low: float, high: float) -> RunSummary:
    """The summary as if other rates had been scored as well."""
    contrast = summary.accuracy.contrasts[0]
    estimate = stats.Estimate(0.2, low, high, 0.95, stats.Method.PERCENTILE, 30)
    nested = stats.NestedDifference(estimate, 0.003, 0.002, 1.0)
    contrasts = (dataclasses.replace(contrast, nested=nested), *summary.accuracy.contrasts[1:])
    return dataclasses.replace(
        summary, accuracy=dataclasses.replace(summary.accuracy, contrasts=contrasts)
    )


def test_brackets_and_probability_are_explained_where_they_come_first(make_run: MakeRun) -> None:
    text = compose_answer(summarize(make_run(separate, seeds=THIRTY)))[1]
    explanation = "Brackets hold a 95 % interval: about 95 of 100 such studies"
    assert text.index("[") < text.index(explanation)
    assert "So if you train one more of each, it wins in almost all cases." in text


def test_one_seed_has_no_brackets_to_explain_and_ask_for_more(make_run: MakeRun) -> None:
    store = make_run(separate, seeds=(0,))
    text = compose_answer(summarize(store))[1]
    assert "[" not in text
    assert "Brackets" not in text
    assert "From 1 seed it is not known how often batch normalization would win." in text
    assert "To decide, run 28 more seeds." in text


def test_several_variants_are_ranked_with_intervals_that_hold_together(make_run: MakeRun) -> None:
    summary = summarize(make_run(separate, seeds=THIRTY, variants=FOUR))
    content = compose_report(summary)
    (ranking,) = summary.ranking
    assert ranking.variants == ("batchnorm", "baseline", "wide", "deep")
    assert (ranking.num_contrasts, ranking.confidence) == (4, 0.9875)
    assert {each.improvement.probability.confidence for each in summary.accuracy.contrasts} == {
        0.9875
    }
    assert {each.result.paired_ratio.confidence for each in summary.epoch_time} == {0.9875}
    assert content.ranking is not None
    assert content.ranking.columns[:4] == (
        "variant",
        "test accuracy",
        "verdict",
        "difference, points",
    )
    assert [row[0] for row in content.ranking.rows] == list(ranking.variants)
    assert [row[2] for row in content.ranking.rows] == [
        "better",
        "–",
        "not meaningfully better",
        "not meaningfully better",
    ]
    assert "Brackets are wide enough for 4 comparisons at once" in content.answer[1]
    assert "The best two: batch normalization is better than the baseline." in content.answer[2]


def test_two_variants_have_no_ranking_and_no_correction(make_run: MakeRun) -> None:
    summary = summarize(make_run(separate, seeds=THIRTY))
    assert (summary.ranking, compose_report(summary).ranking) == ((), None)
    assert summary.accuracy.contrasts[0].improvement.probability.confidence == 0.95


def test_each_device_counts_as_a_comparison(make_run: MakeRun) -> None:
    summary = summarize(make_run(separate, seeds=THIRTY, devices=("cpu", "cuda:1")))
    assert {each.improvement.probability.confidence for each in summary.accuracy.contrasts} == {
        0.975
    }
    assert "Brackets are wide enough for 2 comparisons" in compose_answer(summary)[1]


def test_a_variant_whose_trials_fail_is_ranked_as_if_they_guessed(make_run: MakeRun) -> None:
    summary = summarize(make_run(diverge, seeds=THIRTY, variants=FOUR))
    assert summary.ranking[0].variants[0] == "batchnorm"
    assert "30 trials of the baseline and 30 trials of wide" in compose_answer(summary)[1]


def test_an_interrupted_run_says_so_next(make_run: MakeRun) -> None:
    store = make_run(separate, only=lambda trial: trial.seed == 0)
    answer = compose_answer(summarize(store))
    assert answer[0].startswith("So far, whether batch normalization is ahead is open")
    assert answer[1] == "This run is incomplete: it lacks 4 trials, so its result may change."


def test_another_optimizer_than_the_recipes_is_said_before_the_result(make_run: MakeRun) -> None:
    store = make_run(separate, seeds=THIRTY)
    records = [
        dataclasses.replace(record, optimizers=("torch.optim.adam.Adam(lr=0.1)",))
        for record in store.read_trials()
    ]
    answer = compose_answer(summarize_run(store, records))
    assert answer[1] == (
        "Another optimizer trained than the recipe asks for. 60 scored trials of the baseline and "
        "batch normalization: torch.optim.adam.Adam(lr=0.1)."
    )


def test_time_follows_accuracy_and_models_follow_time(make_run: MakeRun) -> None:
    timing = TimingSpec(num_pairs=8)
    store = make_run(separate, engine="native", seeds=THIRTY, timing=timing)
    answer = compose_answer(summarize(store))
    assert answer[2].startswith("An epoch of batch normalization takes 20 % longer than one")
    assert "plain PyTorch loop on cpu" in answer[2]
    assert "not re-evaluated" in answer[3]


def test_a_run_without_timed_trials_says_nothing_of_time(make_run: MakeRun) -> None:
    timing = TimingSpec(num_pairs=0)
    store = make_run(separate, engine="native", seeds=THIRTY, timing=timing)
    assert not any("An epoch of" in paragraph for paragraph in compose_answer(summarize(store)))
