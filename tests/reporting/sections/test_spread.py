import math
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest

from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.reporting.sections.spread import (
    SOURCES,
    SpreadSummary,
    compose_spread,
    find_source,
    say_shares,
    say_sources,
    summarize_spread,
)
from bnbench.specs import TrialSpec, VariantSpec
from tests.conftest import BASELINE, BATCHNORM
from tests.reporting.conftest import MakeRun, read_trials, report, separate

NUM_SEEDS = 8
OFFSETS = (0.0, 0.9, -0.4, 0.3, -1.0, 0.6, -0.7, 0.2)
"""Of each seed, in points."""
INIT, ORDER = RecipeChange(order_seed=9), RecipeChange(initialization_seed=9)
VARIANTS = (
    BASELINE,
    replace(BASELINE, name="init", recipe=INIT),
    replace(BASELINE, name="order", recipe=ORDER),
    replace(BASELINE, name="full", recipe=RecipeChange(drop_last=True)),
    replace(BATCHNORM, name="precise", recipe=RecipeChange(evaluation_statistics="precise")),
)
SIZES = {"baseline": 1.0, "init": 0.1, "order": 0.9, "full": 0.5, "precise": 1.0}
"""How far a variant's accuracies lie apart, against the first one's."""


def spread_out(trial: TrialSpec) -> list[float]:
    return [0.7, 0.8 + 0.01 * SIZES[trial.variant.name] * OFFSETS[trial.seed % NUM_SEEDS]]


def make_trial(recipe: RecipeChange, variant: VariantSpec = BASELINE) -> TrialSpec:
    changed = replace(variant, name="changed", recipe=recipe)
    return TrialSpec(changed, changed.adapt(RecipeSpec()), 0, "cpu")


@pytest.fixture
def spread(make_run: MakeRun) -> tuple[SpreadSummary, ...]:
    run = make_run(spread_out, "native", variants=VARIANTS, seeds=tuple(range(NUM_SEEDS)))
    return summarize_spread(read_trials(run))


def join_paragraphs(spread: Sequence[SpreadSummary]) -> str:
    section = compose_spread(spread, 10_000)
    assert section is not None
    return " ".join(section.paragraphs)


def test_every_source_is_a_field_of_a_recipe_that_a_variant_can_change() -> None:
    assert set(SOURCES) <= {field.name for field in fields(RecipeChange)}


@pytest.mark.parametrize(
    ("recipe", "source"),
    [
        (INIT, "order_seed"),
        (ORDER, "initialization_seed"),
        (RecipeChange(drop_last=True), "drop_last"),
        (RecipeChange(), None),
        (RecipeChange(drop_last=True, order_seed=9), None),
        (RecipeChange(drop_last=True, momentum=0.9), None),
        (RecipeChange(momentum=0.9), None),
    ],
    ids=["weights", "order", "remainder", "same", "two sources", "and a technique", "technique"],
)
def test_a_source_is_what_two_recipes_differ_in_if_nothing_else_does(
    recipe: RecipeChange, source: str | None
) -> None:
    assert find_source(make_trial(recipe), make_trial(RecipeChange())) == source


def test_another_network_or_device_is_no_source() -> None:
    whole = make_trial(RecipeChange())
    assert find_source(make_trial(INIT, BATCHNORM), whole) is None
    assert find_source(replace(make_trial(INIT), device="cuda"), whole) is None
    assert find_source(replace(make_trial(INIT), engine="native"), whole) is None


def test_a_share_is_the_variance_of_a_source_over_that_of_all(
    spread: tuple[SpreadSummary, ...],
) -> None:
    first, *others = spread
    assert first.share is None
    mean = sum(OFFSETS) / NUM_SEEDS
    deviation = math.sqrt(sum((x - mean) ** 2 for x in OFFSETS) / (NUM_SEEDS - 1))
    assert first.deviation.value == pytest.approx(0.01 * deviation)
    shares = {each.variant: each.share for each in others}
    assert {n: s and s.whole for n, s in shares.items()} == {
        "init": "baseline",
        "order": "baseline",
        "full": "baseline",
        "precise": None,  # no batch normalization without precise statistics to compare with
    }
    found = {n: s.variance_ratio.value for n, s in shares.items() if s is not None}
    assert found == pytest.approx({"init": 0.01, "order": 0.81, "full": 0.25})


def test_test_images_are_a_deviation_of_their_own(spread: tuple[SpreadSummary, ...]) -> None:
    mean = 0.8 + 0.01 * sum(OFFSETS) / NUM_SEEDS
    assert spread[0].sampling_deviation == pytest.approx(math.sqrt(mean * (1 - mean) / 100))
    text = join_paragraphs(spread)
    assert "A new sample of 10,000 test images would move the accuracy of one network by" in text
    assert "share the test images, so this is no part of the spread over seeds" in text


def test_the_sentences_give_each_source_its_share_and_say_how_to_read_it(
    spread: tuple[SpreadSummary, ...],
) -> None:
    text = " ".join(say_sources(spread))
    # The invented trials of all variants move together, so the intervals have no width.
    assert "Initialization alone gives 1 % [1, 1] of the variance of the baseline" in text
    assert "The order of batches alone gives 81 % [81, 81] of the variance" in text
    assert "Without the remainder batch, the variance of the baseline is 75 % lower." in text
    assert "shares need not add up to 100 %" in text
    assert "The share of threads is exactly zero: the native engine's bits do not" in text


def test_with_the_reference_engine_threads_are_not_told_to_have_no_share(make_run: MakeRun) -> None:
    run = make_run(spread_out, variants=VARIANTS, seeds=tuple(range(NUM_SEEDS)))
    text = " ".join(say_sources(summarize_spread(read_trials(run))))
    assert "exactly zero" not in text
    assert "the share of threads is not in these numbers" in text


def test_a_change_whose_interval_holds_none_is_open(make_run: MakeRun) -> None:
    def shuffle(trial: TrialSpec) -> list[float]:
        is_full = trial.variant.name == "full"
        offset = OFFSETS[(trial.seed + 3 * is_full) % NUM_SEEDS]
        return [0.7, 0.8 + (0.011 if is_full else 0.01) * offset]

    run = make_run(shuffle, variants=VARIANTS, seeds=tuple(range(NUM_SEEDS)))
    text = " ".join(say_sources(summarize_spread(read_trials(run))))
    assert "Whether the remainder batch changes the variance of the baseline is open." in text


def test_the_table_names_what_varies(spread: tuple[SpreadSummary, ...]) -> None:
    section = compose_spread(spread, 100)
    assert section is not None
    assert section.table is not None
    assert section.table.constants == "device cpu, engine native"
    assert section.table.columns == (
        "variant",
        "deviation, points",
        "by test images, points",
        "what varies",
        "variance against all",
    )
    assert [row[3] for row in section.table.rows] == [
        "all",
        "initialization alone",
        "order of batches alone",
        "no remainder batch",
        "all",
    ]
    assert section.table.rows[1][4] == "0.01 [0.01, 0.01]"
    assert section.in_terminal


def test_a_study_that_varies_sources_alone_leads_with_their_shares(make_run: MakeRun) -> None:
    run = make_run(spread_out, "native", variants=VARIANTS, seeds=tuple(range(NUM_SEEDS)))
    content = report(run)
    assert content.answer[0] == (
        "Of the variance over 8 seeds, initialization alone gives 1 %, the order of batches 81 % "
        "(baseline)."
    )
    assert not any(text.startswith("The difference of") for text in content.answer)
    # The mean of a variant with a fixed seed is that seed's, so variants are not ranked by it.
    assert content.ranking is None
    assert not any("better" in text for text in content.sections[0].paragraphs)
    titles = [section.title for section in content.sections]
    assert titles[:2] == ["Test accuracy by epoch", "Where the spread comes from"]


def test_the_headline_calls_a_share_unknown_whose_interval_is_too_wide(
    spread: tuple[SpreadSummary, ...],
) -> None:
    first, init, *others = spread
    assert init.share is not None
    wide = replace(init.share.variance_ratio, low=0.001, high=0.1)
    init = replace(init, share=replace(init.share, variance_ratio=wide))
    text = say_shares((first, init, *others))
    assert text is not None
    assert "initialization alone gives an unknown part, the order of batches 81 %" in text


def test_any_study_of_two_variants_and_five_seeds_has_the_section_without_shares(
    make_run: MakeRun,
) -> None:
    spread = summarize_spread(read_trials(make_run(separate, seeds=tuple(range(5)))))
    assert say_shares(spread) is None
    assert say_sources(spread) == ()
    section = compose_spread(spread, 100)
    assert section is not None
    assert section.table is not None
    assert section.table.columns == ("variant", "deviation, points", "by test images, points")
    (text,) = section.paragraphs
    assert text.endswith(
        "The variance study tells which source of randomness the spread comes from."
    )
    assert not section.in_terminal


def test_too_few_seeds_or_one_variant_have_no_section(make_run: MakeRun) -> None:
    few = summarize_spread(read_trials(make_run(separate, seeds=tuple(range(4)))))
    one = summarize_spread(
        read_trials(make_run(separate, seeds=tuple(range(9)), variants=(BASELINE,)))
    )
    assert few == one == ()
    assert compose_spread(few, 100) is None


def test_a_variant_that_never_finished_has_no_deviation_and_no_share(make_run: MakeRun) -> None:
    def fail(trial: TrialSpec) -> list[float] | None:
        return None if trial.variant.name == "init" else spread_out(trial)

    run = make_run(fail, "native", variants=VARIANTS, seeds=tuple(range(NUM_SEEDS)))
    spread = summarize_spread(read_trials(run))
    assert (spread[1].deviation.value, spread[1].sampling_deviation) == (None, None)
    assert spread[1].share is not None
    assert spread[1].share.variance_ratio.value is None
    text = join_paragraphs(spread)
    assert "Initialization alone" not in text
    assert "The order of batches alone gives 81 %" in text
