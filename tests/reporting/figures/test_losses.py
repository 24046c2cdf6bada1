from dataclasses import replace

import pytest

from bnbench.records import TrialRecord
from bnbench.reporting.figures import Figure
from tests.reporting.figures.conftest import STUDY, Drawer, read_texts


def test_losses_have_a_panel_for_training_and_one_for_the_test_set(
    tuned: dict[str, Figure],
) -> None:
    figure = tuned["losses"]
    texts = read_texts(figure)
    assert {"training loss (while training)", "test loss (after the epoch)"} <= set(texts)
    # After epoch 3 the invented losses are 1/3 and 1.1/3.
    assert texts.count("0.333") == texts.count("0.367") == 2
    assert "training loss (while training): baseline 0.333; batchnorm 0.333." in figure.alt


def test_the_loss_data_hold_each_epoch_with_its_interval(tuned: dict[str, Figure]) -> None:
    rows = tuned["losses"].rows
    assert len(rows) == 2 * 2 * 3
    first = rows[0]
    assert (first["variant"], first["series"], first["epoch"]) == ("baseline", "train", 1)
    assert first["mean_loss"] == pytest.approx(1.0)
    assert first["num_trials"] == 8


def test_losses_of_different_sizes_share_a_logarithmic_scale(drawer: Drawer) -> None:
    def enlarge(record: TrialRecord) -> TrialRecord:
        if record.trial.variant.name == "batchnorm":
            return record
        return replace(record, epochs=tuple(replace(e, train_loss=1e4) for e in record.epochs))

    figure = drawer.draw(STUDY, enlarge)["losses"]
    assert {"1", "10", "100", "1000"} <= set(read_texts(figure))
