import dataclasses
from collections.abc import Callable

import pytest

from bnbench.reporting.answer import compose_answer, say_headline
from bnbench.reporting.wording import start_sentence
from bnbench.specs import TrialSpec, TuningSpec, VariantSpec
from bnbench.store import RunStore
from tests.reporting.conftest import Accuracies, MakeRun, diverge, overlap, separate, summarize

THIRTY = tuple(range(30))
TUNING = TuningSpec((0.1, 1.0), (100,), 20)
RATES = {("baseline", "cpu"): 1.0, ("batchnorm", "cpu"): 0.1}


def exchange(accuracies: Accuracies) -> Accuracies:
    """Give each network what the other one reaches."""

    def reach(trial: TrialSpec) -> list[float] | None:
        other = "baseline" if trial.variant.name == "batchnorm" else "batchnorm"
        variant = dataclasses.replace(trial.variant, name=other)
        return accuracies(dataclasses.replace(trial, variant=variant))

    return reach


Make = Callable[[MakeRun], RunStore]
HEADLINES: dict[str, tuple[Make, str]] = {
    "tuned, better": (
        lambda make: make(separate, seeds=THIRTY, tuning=TUNING, rates=RATES),
        "Batch normalization helps by 20.0 points at tuned learning rates.",
    ),
    "tuned, worse": (
        lambda make: make(exchange(separate), seeds=THIRTY, tuning=TUNING, rates=RATES),
        "Batch normalization costs 20.0 points at tuned learning rates.",
    ),
    "tuned, not meaningfully better": (
        lambda make: make(overlap, seeds=THIRTY, tuning=TUNING, rates=RATES),
        "Batch normalization is not meaningfully better than the baseline at tuned learning rates.",
    ),
    "no conclusion": (
        lambda make: make(separate, seeds=(0, 1)),
        "Whether batch normalization beats the baseline is open after 2 seeds: run 27 more seeds.",
    ),
    "one rate, better": (
        lambda make: make(separate, seeds=THIRTY),
        "At learning rate 0.1, batch normalization ends 20.0 points ahead.",
    ),
    "one rate, worse": (
        lambda make: make(exchange(separate), seeds=THIRTY),
        "At learning rate 0.1, batch normalization ends 20.0 points behind.",
    ),
    "one rate, not meaningfully better": (
        lambda make: make(overlap, seeds=THIRTY),
        "At learning rate 0.1, batch normalization is not meaningfully better than the baseline.",
    ),
    "one variant": (
        lambda make: make(separate, variants=(VariantSpec("batchnorm", (8,), "batch"),)),
        "Only batch normalization has results, so nothing is compared.",
    ),
    "one variant diverged": (
        lambda make: make(diverge, seeds=THIRTY),
        "At learning rate 0.1, only batch normalization trains: every trial of the baseline "
        "failed.",
    ),
    "all diverged": (
        lambda make: make(lambda trial: None),
        "No trial finished, so there is no result.",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), HEADLINES.values(), ids=HEADLINES)
def test_the_headline_says_the_verdict_in_one_short_sentence(
    make_run: MakeRun, make: Make, sentence: str
) -> None:
    headline = say_headline(summarize(make(make_run)))
    assert start_sentence(headline) == sentence
    assert len(headline) <= 120
    assert "[" not in headline


def test_at_one_learning_rate_the_answer_does_not_credit_the_technique(make_run: MakeRun) -> None:
    answer = compose_answer(summarize(make_run(separate, seeds=THIRTY)))
    assert "does not tell the technique from the tuning" in answer[1]


def test_the_second_paragraph_has_difference_probability_and_chosen_rates(
    make_run: MakeRun,
) -> None:
    store = make_run(separate, seeds=THIRTY, tuning=TUNING, rates=RATES)
    text = compose_answer(summarize(store))[1]
    assert "The difference in test accuracy after 2 epochs is +20.00 points [" in text
    assert "A new trial of batch normalization beats one of the baseline with probability" in text
    assert "chosen on validation images: 1 for the baseline, 0.1 for batch normalization." in text


def test_further_variants_are_named_after_the_first_one(make_run: MakeRun) -> None:
    variants = (
        VariantSpec("baseline", (8,)),
        VariantSpec("batchnorm", (8,), "batch"),
        VariantSpec("wide", (16,)),
    )
    answer = compose_answer(summarize(make_run(separate, seeds=THIRTY, variants=variants)))
    assert answer[0].startswith("At learning rate 0.1, batch normalization ends 20.0 points")
    assert "wide is not meaningfully better than the baseline." in answer[1]


def test_an_interrupted_run_says_so_first(make_run: MakeRun) -> None:
    store = make_run(separate, only=lambda trial: trial.seed == 0)
    answer = compose_answer(summarize(store))
    assert answer[0] == "This run is incomplete: it lacks 4 trials, so its result may change."
    assert answer[1].startswith("So far: whether batch normalization beats the baseline is open")


def test_time_follows_accuracy_and_models_follow_time(make_run: MakeRun) -> None:
    answer = compose_answer(summarize(make_run(separate, engine="native", seeds=THIRTY)))
    assert answer[2].startswith("An epoch of batch normalization takes 20 % longer than one")
    assert "plain PyTorch loop on cpu" in answer[2]
    assert "not re-evaluated" in answer[3]
