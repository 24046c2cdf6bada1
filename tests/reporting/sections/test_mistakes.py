import dataclasses

import pytest

from bnbench.inspection import ConfusionRecord
from bnbench.reporting.sections.mistakes import (
    compose_disagreements,
    compose_mistakes,
    select_device,
    summarize_mistakes,
)
from tests.inspections import INSPECTION


def test_accuracy_and_shares_are_fractions_of_the_images_of_the_true_class() -> None:
    baseline, batchnorm = summarize_mistakes(INSPECTION)
    # 20 of 20 caps, 9 of 12 boots and 2 of 8 shoes.
    assert [each.value for each in baseline.accuracy] == pytest.approx([1.0, 0.75, 0.25])
    assert baseline.shares[2] == pytest.approx((0.0, 0.75, 0.25))
    assert baseline.differences == ()
    # Over seeds 0 and 1: caps 0 and -1 of 10, boots 0 and 0 of 6, shoes +2 and +2 of 4.
    assert [each.value for each in batchnorm.differences] == pytest.approx([-0.05, 0.0, 0.5])
    assert (batchnorm.differences[2].low, batchnorm.differences[2].high) == (0.5, 0.5)


def test_differences_pair_the_seeds_that_both_have() -> None:
    first, second = INSPECTION.confusions
    other = dataclasses.replace(second, seeds=(1, 5))
    _, batchnorm = summarize_mistakes(dataclasses.replace(INSPECTION, confusions=(first, other)))
    # Seed 1 is the second row of the baseline and the first row of the other: 4 and 5 boots of 6.
    assert batchnorm.differences[1].value == pytest.approx(1 / 6)
    assert batchnorm.differences[1].count == 1
    apart = dataclasses.replace(second, seeds=(7, 8))
    mistakes = summarize_mistakes(dataclasses.replace(INSPECTION, confusions=(first, apart)))
    section = compose_mistakes(mistakes, INSPECTION)
    assert section is not None
    assert section.paragraphs[0] == "Batch normalization shares no seed with the baseline."


def test_the_section_names_extremes_and_lists_the_most_frequent_confusions_first() -> None:
    section = compose_mistakes(summarize_mistakes(INSPECTION), INSPECTION)
    assert section is not None
    assert "in 1 of 3 classes and fewer in 0" in section.paragraphs[0]
    assert "largest gain is shoe: +50.00 points" in section.paragraphs[0]
    assert "largest loss is cap: -5.00 points" in section.paragraphs[0]
    assert section.table is not None
    assert section.table.rows[:3] == (
        ("shoe → boot", "75.0", "25.0"),
        ("boot → shoe", "25.0", "25.0"),
        ("cap → boot", "0.0", "5.0"),
    )


def test_each_device_has_its_own_baseline_and_the_first_one_is_shown() -> None:
    on_gpu = [dataclasses.replace(each, device="cuda:0") for each in INSPECTION.confusions]
    inspection = dataclasses.replace(INSPECTION, confusions=(*INSPECTION.confusions, *on_gpu))
    mistakes = summarize_mistakes(inspection)
    assert [bool(each.differences) for each in mistakes] == [False, True, False, True]
    assert select_device(mistakes) == list(mistakes[:2])
    section = compose_mistakes(mistakes, inspection)
    assert section is not None
    assert section.paragraphs[-1].startswith("Predictions of the trained networks")
    assert "on cpu." in section.paragraphs[-1]


def test_a_class_without_test_images_has_no_accuracy() -> None:
    record = ConfusionRecord("baseline", "cpu", (0, 1), ((4, 0), (0, 0)), ((2, 0), (2, 0)))
    inspection = dataclasses.replace(INSPECTION, class_names=("a", "b"), confusions=(record,))
    (summary,) = summarize_mistakes(inspection)
    assert [each.value for each in summary.accuracy] == [1.0, None]


def test_disagreements_are_counted_in_both_directions() -> None:
    section = compose_disagreements(INSPECTION)
    assert section is not None
    assert section.paragraphs[0] == (
        "Batch normalization is right and the baseline wrong, in most of 2 seeds, on 2 of 20 test "
        "images. The reverse holds on 1."
    )


def test_what_was_not_inspected_has_no_section() -> None:
    assert summarize_mistakes(None) == ()
    assert compose_mistakes((), None) is compose_disagreements(None) is None
    alone = dataclasses.replace(INSPECTION, disagreements=())
    assert compose_disagreements(alone) is None


def test_features_are_called_inputs_and_have_no_figure() -> None:
    (found,) = INSPECTION.disagreements
    none = dataclasses.replace(found, ahead=(), behind=())
    features = dataclasses.replace(INSPECTION, disagreements=(none,), image_size=None)
    section = compose_disagreements(features)
    assert section is not None
    assert (section.title, section.figure) == ("The inputs on which the networks disagree", None)
    assert section.paragraphs[0].endswith("The reverse holds on 1.")
    assert "on 2 of 20 test inputs" in section.paragraphs[0]
