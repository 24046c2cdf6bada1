import dataclasses
from collections.abc import Callable

import pytest

from bnbench.recipes import RecipeChange
from bnbench.reporting.headline import LONGEST, say_headline
from bnbench.specs import TrialSpec, TuningSpec, VariantSpec
from bnbench.store import RunStore
from tests.reporting.conftest import Accuracies, MakeRun, diverge, overlap, separate, summarize

THIRTY = tuple(range(30))
TUNING = TuningSpec((0.1, 1.0), (100,), 20)
RATES = {("baseline", "cpu"): 1.0, ("batchnorm", "cpu"): 0.1}
BASELINE, BATCHNORM = VariantSpec("baseline", (8,)), VariantSpec("batchnorm", (8,), "batch")
WIDE, LAYERNORM = VariantSpec("wide", (16,)), VariantSpec("layernorm", (8,), "layer")
FOUR = (BASELINE, BATCHNORM, WIDE, LAYERNORM)
LONG = "the_network_with_a_name_of_sixty_characters_number_"


def exchange(accuracies: Accuracies) -> Accuracies:
    """Give each network what the other one reaches."""

    def reach(trial: TrialSpec) -> list[float] | None:
        other = "baseline" if trial.variant.name == "batchnorm" else "batchnorm"
        variant = dataclasses.replace(trial.variant, name=other)
        return accuracies(dataclasses.replace(trial, variant=variant))

    return reach


def reach(**levels: float) -> Accuracies:
    """Give each network its level, with a little noise by seed and network; unnamed ones 0.5."""

    def accuracies(trial: TrialSpec) -> list[float] | None:
        name = trial.variant.name
        noise = 0.0001 * ((7 * trial.seed + 3 * len(name)) % 13)
        level = levels.get(name, 0.5) + noise
        return [level - 0.01, level]

    return accuracies


Make = Callable[[MakeRun], RunStore]
HEADLINES: dict[str, tuple[Make, str]] = {
    "tuned, better": (
        lambda make: make(separate, seeds=THIRTY, tuning=TUNING, rates=RATES),
        "Batch normalization helps: 75.5 % of test images right instead of 55.5 %, each at its "
        "best learning rate.",
    ),
    "tuned, worse": (
        lambda make: make(exchange(separate), seeds=THIRTY, tuning=TUNING, rates=RATES),
        "Batch normalization hurts: 55.5 % of test images right instead of 75.5 %, each at its "
        "best learning rate.",
    ),
    "tuned, not meaningfully better": (
        lambda make: make(overlap, seeds=THIRTY, tuning=TUNING, rates=RATES),
        "No meaningful gain from batch normalization: 80.59 % of test images right against "
        "80.59 %, at tuned learning rates.",
    ),
    "own rates": (
        lambda make: make(
            separate,
            seeds=THIRTY,
            variants=(
                BASELINE,
                dataclasses.replace(BATCHNORM, recipe=RecipeChange(learning_rate=0.5)),
            ),
        ),
        "Batch normalization is ahead: 75.5 % of test images right instead of 55.5 %, each at its "
        "own learning rate.",
    ),
    "no conclusion": (
        lambda make: make(separate, seeds=(0, 1)),
        "Whether batch normalization is ahead is open: 75.0 % of test images right against "
        "55.0 %, both at learning rate 0.1.",
    ),
    "one rate, better": (
        lambda make: make(separate, seeds=THIRTY),
        "Batch normalization is ahead: 75.5 % of test images right instead of 55.5 %, both at "
        "learning rate 0.1.",
    ),
    "one rate, worse": (
        lambda make: make(exchange(separate), seeds=THIRTY),
        "Batch normalization is behind: 55.5 % of test images right instead of 75.5 %, both at "
        "learning rate 0.1.",
    ),
    "one variant": (
        lambda make: make(separate, variants=(BATCHNORM,)),
        "Nothing is compared: only batch normalization has results, 75.1 % of test images right.",
    ),
    "one variant diverged": (
        lambda make: make(diverge, seeds=THIRTY),
        "Only batch normalization trains, to 75.5 % of test images right: every trial of the "
        "baseline failed.",
    ),
    "the candidate diverged": (
        lambda make: make(exchange(diverge), seeds=THIRTY),
        "Only the baseline trains, to 75.5 % of test images right: every trial of batch "
        "normalization failed.",
    ),
    "all diverged": (
        lambda make: make(lambda trial: None),
        "No trial finished, so there is no result.",
    ),
    "incomplete": (
        lambda make: make(separate, only=lambda trial: trial.seed == 0),
        "So far, whether batch normalization is ahead is open: 75.0 % of test images right "
        "against 55.0 %, at learning rate 0.1.",
    ),
    "before the first trial": (
        lambda make: make(separate, only=lambda trial: False),
        "So far, no trial finished, so there is no result.",
    ),
    "another baseline": (
        lambda make: make(reach(wide=0.6), seeds=THIRTY, variants=(LAYERNORM, WIDE)),
        "wide beats layer normalization: 60.1 % of test images right instead of 50.1 %, both at "
        "learning rate 0.1.",
    ),
    "four, one is best": (
        lambda make: make(
            reach(batchnorm=0.6, layernorm=0.7, wide=0.55), seeds=THIRTY, variants=FOUR
        ),
        "Layer normalization is best of 4: 70.1 % of test images right instead of 50.1 %, all at "
        "learning rate 0.1.",
    ),
    "four, the best two are equal": (
        lambda make: make(
            reach(batchnorm=0.6, layernorm=0.6, wide=0.55), seeds=THIRTY, variants=FOUR
        ),
        "Batch normalization is ahead and ranks first of 4: 60.1 % of test images right instead "
        "of 50.1 %, at learning rate 0.1.",
    ),
    "four, the baseline is best": (
        lambda make: make(reach(baseline=0.7, layernorm=0.6), seeds=THIRTY, variants=FOUR),
        "The baseline is best of 4: 70.1 % of test images right instead of 60.1 %, all at "
        "learning rate 0.1.",
    ),
    "four, all open": (
        lambda make: make(reach(layernorm=0.6), seeds=(0, 1), variants=FOUR),
        "Whether any of 3 variants is ahead is open: 60.0 % of test images right at best against "
        "50.1 %, at learning rate 0.1.",
    ),
    "four, none helps": (
        lambda make: make(reach(), seeds=tuple(range(65)), variants=FOUR),
        "None of 3 variants is meaningfully ahead: 50.06 % of test images right at best against "
        "50.06 %, at learning rate 0.1.",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), HEADLINES.values(), ids=HEADLINES)
def test_the_headline_says_the_verdict_and_two_accuracies(
    make_run: MakeRun, make: Make, sentence: str
) -> None:
    headline = say_headline(summarize(make(make_run)))
    assert headline == sentence
    assert len(headline) <= LONGEST


@pytest.mark.parametrize("num_variants", [2, 4])
@pytest.mark.parametrize("num_seeds", [2, 30])
@pytest.mark.parametrize("gain", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("is_tuned", [False, True], ids=["one rate", "tuned"])
def test_long_names_are_cut_so_that_the_headline_fits(
    make_run: MakeRun, num_variants: int, num_seeds: int, gain: float, is_tuned: bool
) -> None:
    variants = tuple(VariantSpec(f"{LONG}{number}", (8,)) for number in range(num_variants))
    levels = {variant.name: 0.5 + gain * place for place, variant in enumerate(variants)}
    rates = {(variant.name, "cpu"): 0.1 for variant in variants} if is_tuned else None
    store = make_run(
        reach(**levels),
        seeds=tuple(range(num_seeds)),
        variants=variants,
        tuning=TUNING if is_tuned else None,
        rates=rates,
        only=lambda trial: trial.purpose == "score",
    )
    headline = say_headline(summarize(store))
    assert len(headline) <= LONGEST
    assert headline.endswith(".")
    assert "of test images right" in headline


def test_two_accuracies_that_differ_little_get_a_second_decimal(make_run: MakeRun) -> None:
    store = make_run(reach(batchnorm=0.5004), seeds=THIRTY)
    assert "50.10 % of test images right instead of 50.06 %" in say_headline(summarize(store))
