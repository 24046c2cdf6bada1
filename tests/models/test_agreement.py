from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.models.agreement import Reference, compare_logits, make_reference
from bnbench.models.certificate import Certificate
from bnbench.models.exported_model import ExportedModel
from bnbench.models.stored_network import (
    ActivationKind,
    ActivationLayer,
    LinearLayer,
    StoredNetwork,
)
from tests.models.conftest import MANIFEST


def make_logits(*leads: float) -> NDArray[np.float64]:
    """An image for each lead of class 2 over class 5; all others are far behind."""
    logits = np.full((len(leads), 10), -10.0)
    logits[:, 2] = 1.0
    logits[:, 5] = 1.0 - np.array(leads)
    return logits


def make_proven(*leads: float, bound: float = 0.1) -> Reference:
    """A reference in which every logit, and every lead, may be off by `bound`."""
    logits = make_logits(*leads)
    bounds = np.full_like(logits, bound)
    rivals = bounds.copy()
    rivals[:, 2] = 0
    labels = np.full(len(leads), 2, dtype=np.uint8)
    proof = Certificate(logits, bounds, rivals, np.zeros(len(leads), dtype=np.int64))
    return Reference(ExportedModel(Path("a.pt"), b"", MANIFEST), labels, logits, proof)


def test_the_same_logits_agree() -> None:
    reference = make_proven(0.5, 0.05)
    record = compare_logits(reference, "eager", "torch 2", reference.logits)
    assert (record.status, record.reason) == ("agreed", None)
    assert (record.total, record.correct, record.differing, record.unexplained) == (2, 2, 0, 0)
    assert (record.accuracy, record.expected_correct) == (1.0, 1)
    assert (record.max_abs_diff, record.max_bound_share) == (0, 0)
    assert (record.model, record.runtime, record.version) == ("a.pt", "eager", "torch 2")


def test_a_prediction_that_rounding_can_turn_is_explained() -> None:
    reference = make_proven(0.5, 0.05)
    found = reference.logits.copy()
    found[1, 5] += 0.06
    record = compare_logits(reference, "eager", "torch 2", found)
    assert (record.differing, record.unexplained, record.status) == (1, 0, "agreed")
    assert record.correct == 1


def test_a_prediction_whose_lead_is_beyond_the_bound_is_a_fault_and_its_image_is_named() -> None:
    # Each logit is within its own bound, but the lead of 0.15 is larger than its bound of 0.1.
    reference = make_proven(0.5, 0.15)
    found = reference.logits.copy()
    found[1, 2] -= 0.09
    found[1, 5] += 0.09
    record = compare_logits(reference, "eager", "torch 2", found)
    assert (record.differing, record.unexplained, record.status) == (1, 1, "disagreed")
    assert record.reason == "1 predictions differ unexplained (image 1)"


def test_a_close_call_is_not_explained_where_the_logits_are_beyond_their_bounds() -> None:
    reference = make_proven(0.5, 0.05)
    found = reference.logits.copy()
    found[1, 5] += 3.0
    record = compare_logits(reference, "eager", "torch 2", found)
    assert (record.differing, record.unexplained, record.status) == (1, 1, "disagreed")


def test_a_logit_beyond_its_bound_is_a_fault_even_where_no_prediction_differs() -> None:
    reference = make_proven(0.5, 0.5)
    found = reference.logits.copy()
    found[0, 7] += 0.2
    record = compare_logits(reference, "eager", "torch 2", found)
    assert (record.differing, record.status) == (0, "disagreed")
    assert record.reason == "logits of 1 images are off by more than rounding can explain"
    assert record.max_bound_share == pytest.approx(2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_a_fault(value: float) -> None:
    reference = make_proven(0.5, 0.5)
    found = reference.logits.copy()
    found[1, 0] = value
    record = compare_logits(reference, "eager", "torch 2", found)
    assert (record.status, record.reason) == ("disagreed", "1 images have no finite logits")
    assert record.differing is None


def test_logits_of_another_shape_are_a_fault() -> None:
    reference = make_proven(0.5, 0.5)
    record = compare_logits(reference, "eager", "torch 2", reference.logits[:1])
    assert record.reason == "expected logits of shape (2, 10), got shape (1, 10)"


def make_read_reference(
    kind: ActivationKind, output_scale: float = 1.0, hidden_scale: float = 1.0
) -> Reference:
    generator = np.random.default_rng(0)
    network = StoredNetwork(
        (
            LinearLayer(
                "linear1",
                hidden_scale * generator.standard_normal((6, 784)).astype(np.float32) / 28,
                np.zeros(6, dtype=np.float32),
            ),
            ActivationLayer("activation1", kind),
            LinearLayer(
                "output",
                output_scale * generator.standard_normal((10, 6)).astype(np.float32),
                np.zeros(10, dtype=np.float32),
            ),
        ),
        {},
        (),
    )
    images = generator.integers(0, 256, (20, 28, 28)).astype(np.uint8)
    model = ExportedModel(Path("a.pt"), b"", MANIFEST)
    vars(model)["network"] = network  # as if it had been read from the file
    return make_reference(model, images, np.zeros(20, dtype=np.uint8))


def test_without_a_bound_a_small_difference_is_let_pass_and_a_larger_one_is_not() -> None:
    reference = make_read_reference("tanh", hidden_scale=2.0**40)
    assert (reference.record.certified, reference.record.status) == (None, "out of range")
    assert str(reference.record.reason).startswith("linear1.weight: ")
    small = compare_logits(reference, "eager", "torch 2", reference.logits + 5e-5)
    assert (small.status, small.max_bound_share) == ("agreed", None)
    large = compare_logits(reference, "eager", "torch 2", reference.logits + 5e-3)
    assert large.status == "disagreed"
    assert "the tolerance where no bound covers the network" in str(large.reason)


def test_without_a_bound_a_prediction_may_differ_where_all_logits_are_within_the_tolerance() -> (
    None
):
    reference = make_read_reference("tanh", hidden_scale=2.0**40)
    reference.logits[0] = 0
    reference.logits[0, :2] = 5, 5 - 1e-6
    found = reference.logits.copy()
    found[0, 1] += 2e-6
    near = compare_logits(reference, "eager", "torch 2", found)
    assert (near.differing, near.unexplained, near.status) == (1, 0, "agreed")
    found[0, 5] += 1e-2
    far = compare_logits(reference, "eager", "torch 2", found)
    assert (far.differing, far.unexplained, far.status) == (1, 1, "disagreed")


def test_a_network_out_of_range_is_on_record_with_the_tensor_and_has_no_bound() -> None:
    reference = make_read_reference("relu", output_scale=2.0**40)
    record = reference.record
    assert (record.status, record.certified, record.largest_bound) == ("out of range", None, None)
    assert str(record.reason).startswith("output.weight: expected values up to 4.3e+09, got ")
    found = compare_logits(reference, "eager", "torch 2", reference.logits)
    assert (found.status, found.max_bound_share) == ("agreed", None)


def test_the_reference_goes_on_record_with_what_is_certified() -> None:
    record = make_proven(0.5, 0.05, 0.2).record
    assert (record.model, record.variant) == ("a.pt", "tiny")
    assert (record.total, record.correct, record.certified) == (3, 3, 2)
    assert (record.undecided_units, record.largest_bound) == (0, 0.1)
