from dataclasses import replace

import pytest

from bnbench.reporting.figures import Figure
from bnbench.reporting.figures.palette import SERIES
from tests.reporting.figures.conftest import (
    STUDY,
    Drawer,
    count_thin_lines,
    fail,
    read_texts,
)


def test_accuracy_shows_each_seed_and_says_each_variants_last_mean(
    tuned: dict[str, Figure],
) -> None:
    figure = tuned["accuracy"]
    for style in SERIES[:2]:
        assert count_thin_lines(figure, style.color) == 8
    # Means over seeds 0 to 7: 0.5 + 2 * 0.05 + 0.004 * 3.5, and 0.2 more.
    texts = read_texts(figure)
    assert {"baseline", "61.4 %", "batchnorm", "81.4 %", "epoch", "1", "2", "3"} <= set(texts)
    assert "test accuracy, %" in texts
    assert figure.alt == "Test accuracy by epoch: baseline 61.4 %; batchnorm 81.4 %."


def test_the_accuracy_data_hold_every_epoch_of_every_trial_and_the_means(
    tuned: dict[str, Figure],
) -> None:
    figure = tuned["accuracy"]
    assert len([row for row in figure.rows if row["series"] == "trial"]) == 2 * 8 * 3
    means = [row for row in figure.rows if row["series"] == "mean"]
    assert [(row["variant"], row["epoch"]) for row in means] == [
        (variant, epoch) for variant in ("baseline", "batchnorm") for epoch in (1, 2, 3)
    ]
    assert means[2]["test_accuracy"] == pytest.approx(0.614)


def test_one_seed_has_a_line_and_no_interval(drawer: Drawer) -> None:
    figure = drawer.draw(replace(STUDY, seeds=(0,)))["accuracy"]
    assert "fill-opacity" not in figure.svg
    assert "single trial" in figure.caption


def test_a_variant_that_never_finished_an_epoch_is_named_in_the_caption(drawer: Drawer) -> None:
    figure = drawer.draw(STUDY, fail("baseline"))["accuracy"]
    assert "No trial of baseline finished an epoch." in figure.caption
    assert "baseline" not in read_texts(figure)


def test_a_mean_that_ends_early_says_where(drawer: Drawer) -> None:
    figure = drawer.draw(STUDY, fail("batchnorm", num_epochs=1))["accuracy"]
    assert "at epoch 1" in read_texts(figure)
    assert "8 of 8 trials of batchnorm failed" in figure.caption
