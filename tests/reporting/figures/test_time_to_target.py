from dataclasses import replace

from tests.reporting.figures.conftest import STUDY, Drawer, read_texts


def test_time_to_target_counts_arrivals_by_epoch(drawer: Drawer) -> None:
    # Seeds 4 to 7 of the baseline are at 0.615 or above after epoch 3, and none before.
    figure = drawer.draw(replace(STUDY, target_accuracy=0.615))["time_to_target"]
    assert [row["num_arrived"] for row in figure.rows] == [0, 0, 0, 4, 0, 8, 8, 8]
    assert [row["steps"] for row in figure.rows[:4]] == [
        0,
        6,
        12,
        18,
    ]  # 330 images in batches of 64
    assert {"4 of 8", "8 of 8", "epoch (6 steps each)"} <= set(read_texts(figure))
    assert "baseline 4 of 8; batchnorm 8 of 8" in figure.alt


def test_a_target_nobody_reached_is_said(drawer: Drawer) -> None:
    figure = drawer.draw(replace(STUDY, target_accuracy=0.99))["time_to_target"]
    assert read_texts(figure).count("0 of 8") == 2
    assert figure.caption.startswith("No trial reached the target.")
