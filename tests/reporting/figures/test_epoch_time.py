from dataclasses import replace

from bnbench.records import TrialRecord
from tests.reporting.figures.conftest import STUDY, Drawer, read_texts


def test_a_far_outlier_is_counted_beside_the_axis_and_kept_in_the_data(drawer: Drawer) -> None:
    def slow_down(record: TrialRecord) -> TrialRecord:
        if (record.trial.variant.name, record.trial.seed) != ("baseline", 3):
            return record
        slow = replace(record.epochs[1], train_seconds=30.0)
        return replace(record, epochs=(record.epochs[0], slow, record.epochs[2]))

    figure = drawer.draw(STUDY, slow_down)["epoch_time"]
    assert "1 beyond, up to 30.0 s →" in read_texts(figure)
    assert "30" not in read_texts(figure)  # no tick of the axis lies that far
    (slow,) = [row for row in figure.rows if row["series"] == "slow epoch"]
    assert (slow["variant"], slow["seed"], slow["epoch"]) == ("baseline", 3, 2)
    assert "1 epoch took much longer" in figure.caption


def test_each_engine_that_was_timed_has_a_panel_of_its_own(drawer: Drawer) -> None:
    figure = drawer.draw(STUDY, engine="native")["epoch_time"]
    assert {"reference engine on cpu", "native engine on cpu"} <= set(read_texts(figure))
    epochs = [row for row in figure.rows if row["series"] == "epoch"]
    assert len(epochs) == 2 * 2 * STUDY.timing.num_pairs * STUDY.timing.epochs
