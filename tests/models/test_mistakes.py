import numpy as np
import pytest

from bnbench.models.mistakes import Predictions, count_confusions, find_disagreements
from bnbench.models.pictures import Pictures

PICTURES = Pictures(np.arange(12, dtype=np.uint8).repeat(4).reshape(12, 2, 2), 0.0, 255.0)


def predict(variant: str, *by_seed: str) -> Predictions:
    """One digit per image and one text per seed, from seed 0 on; an empty text is no model."""
    found = {s: np.array(list(map(int, text)), np.uint8) for s, text in enumerate(by_seed) if text}
    return Predictions(variant, "cpu", found)


def test_confusions_count_true_classes_in_rows_and_predicted_ones_in_columns() -> None:
    labels = np.array([0, 0, 1, 9], np.uint8)
    record = count_confusions(predict("baseline", "0119", "0014"), labels, num_classes=10)
    assert record.seeds == (0, 1)
    assert record.counts[0] == (3, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    assert record.counts[1][1] == 2
    assert (record.counts[9][9], record.counts[9][4]) == (1, 1)
    assert sum(map(sum, record.counts)) == 8
    assert record.correct == (
        (1, 1, 0, 0, 0, 0, 0, 0, 0, 1),
        (2, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    )


def test_images_are_found_by_the_majority_of_shared_seeds_in_both_directions() -> None:
    labels = np.array([0, 1, 2, 3, 4], np.uint8)
    # Image 0: 0 of 3 against 3; image 1: 1 against 2; image 2: 3 against 1; image 3: both right;
    # image 4: 1 against 1, neither has a majority. Seed 3 has no model of the candidate.
    baseline = predict("baseline", "71234", "70235", "75235", "01234")
    candidate = predict("batchnorm", "01834", "00935", "01235")
    found = find_disagreements(baseline, candidate, labels, PICTURES)
    assert found is not None
    assert (found.num_seeds, found.num_ahead, found.num_behind) == (3, 2, 1)
    assert [image.number for image in found.ahead] == [0, 1]
    first, second = found.ahead
    assert (first.label, first.answers, first.votes, first.correct) == (0, (7, 0), (3, 3), (0, 3))
    # Of equally many votes the first class is named.
    assert (second.answers, second.votes, second.correct) == ((0, 1), (1, 2), (1, 2))
    assert [image.number for image in found.behind] == [2]
    assert (found.behind[0].answers, found.behind[0].correct) == ((2, 2), (3, 1))


def test_another_sample_of_images_would_spread_the_difference_by_the_root_of_their_number() -> None:
    labels = np.zeros(4, np.uint8)
    # Gains of 1, 1, 0 and -1 right answers per seed: mean 0.25, deviation sqrt(2.75 / 3).
    found = find_disagreements(
        predict("baseline", "1100", "1100"),
        predict("batchnorm", "0001", "0001"),
        labels,
        PICTURES,
    )
    assert found is not None
    assert found.image_deviation == pytest.approx((2.75 / 3) ** 0.5 / 2)


def test_at_most_two_images_of_a_class_and_six_in_all_are_kept() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], np.uint8)
    found = find_disagreements(
        predict("baseline", "9" * 12), predict("batchnorm", "000111222333"), labels, PICTURES
    )
    assert found is not None
    assert found.num_ahead == 12
    assert [image.number for image in found.ahead] == [0, 1, 3, 4, 6, 7]
    assert not found.behind


def test_without_a_shared_seed_nothing_is_compared() -> None:
    labels = np.zeros(2, np.uint8)
    assert find_disagreements(predict("a", "00", ""), predict("b", "", "00"), labels, None) is None


def test_inputs_that_are_no_images_have_no_pixels() -> None:
    labels = np.zeros(2, np.uint8)
    found = find_disagreements(predict("a", "11"), predict("b", "00"), labels, None)
    assert found is not None
    assert [image.pixels for image in found.ahead] == [None, None]
