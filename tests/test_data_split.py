import dataclasses

import pytest
import torch

from bnbench.data import Dataset, LabeledInputs
from bnbench.data_split import cut_validation_split, share_among_classes
from bnbench.errors import SpecError
from bnbench.specs import DataShape, TuningSpec


def make_dataset(class_sizes: tuple[int, ...]) -> Dataset:
    """One feature, a number of its own for each input."""
    labels = torch.cat([torch.full((size,), label) for label, size in enumerate(class_sizes)])
    part = LabeledInputs(torch.arange(len(labels)).float().unsqueeze(1), labels, "", "")
    return Dataset("d", part, part, None, "a test", DataShape((1,), len(class_sizes)))


def tune(number: int | None, split_seed: int = 0) -> TuningSpec:
    return TuningSpec((0.1,), (0,), number, split_seed)


@pytest.mark.parametrize(
    ("number", "sizes", "shares"),
    [
        (10_000, [6000] * 10, [1000] * 10),
        (10, [60, 30, 10], [6, 3, 1]),
        # 7 of 100: 3.5, 2.8 and 0.7; the two largest remainders are those of the last two.
        (7, [50, 40, 10], [3, 3, 1]),
        (1, [1, 1], [1, 0]),
    ],
    ids=["FashionMNIST", "uneven classes", "remainders", "equal remainders"],
)
def test_classes_share_in_proportion_to_their_sizes(
    number: int, sizes: list[int], shares: list[int]
) -> None:
    assert share_among_classes(number, sizes) == shares


def test_the_split_has_each_class_in_proportion_and_the_rest_is_trained_on() -> None:
    dataset = make_dataset((60, 30, 10))
    split = cut_validation_split(dataset, tune(10))
    assert split.test.labels.bincount().tolist() == [6, 3, 1]
    assert split.train.labels.bincount().tolist() == [54, 27, 9]
    both = torch.cat([split.train.inputs, split.test.inputs]).flatten().sort().values
    assert torch.equal(both, dataset.train.inputs.flatten())
    assert (split.shape, split.folder) == (dataset.shape, None)


def test_a_sixth_is_cut_unless_a_number_is_given() -> None:
    assert len(cut_validation_split(make_dataset((40, 20)), tune(None)).test) == 10
    assert tune(None).count_validation(60_000) == 10_000
    assert tune(None).count_validation(5) == 1


def test_the_split_is_the_same_for_a_seed_and_another_for_another() -> None:
    dataset = make_dataset((60, 60))
    first, again, other = (cut_validation_split(dataset, tune(20, seed)) for seed in (1, 1, 2))
    assert torch.equal(first.test.inputs, again.test.inputs)
    assert not torch.equal(first.test.inputs, other.test.inputs)


@pytest.mark.parametrize(
    ("sizes", "number", "text"),
    [
        ((5, 5), 10, "expected fewer than the 10 training inputs, got 10"),
        ((99, 1), 60, "expected fewer, so that class 1 keeps one of its 1 training inputs, got 60"),
    ],
    ids=["all inputs", "the only one of a class"],
)
def test_a_split_that_leaves_too_little_is_refused(
    sizes: tuple[int, ...], number: int, text: str
) -> None:
    with pytest.raises(SpecError, match=f"num_validation_images: {text}"):
        cut_validation_split(make_dataset(sizes), tune(number))


@pytest.mark.real_data
def test_the_default_split_of_fashion_mnist_is_the_one_of_earlier_versions(
    fashion_mnist: Dataset,
) -> None:
    split = cut_validation_split(fashion_mnist, tune(None))
    again = cut_validation_split(dataclasses.replace(fashion_mnist), tune(10_000))
    assert torch.equal(split.test.inputs, again.test.inputs)
    assert split.test.labels.bincount().tolist() == [1000] * 10
    positions = torch.arange(1, 10_001)
    # Sums over what version 0.1.0 cut, before classes were shared in proportion.
    brightness = split.test.inputs.flatten(1).long().sum(dim=1)
    assert int((split.test.labels.long() * positions).sum()) == 223_537_161
    assert int((brightness * positions).sum()) == 2_885_842_811_854
