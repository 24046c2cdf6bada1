"""The agreement of a runtime's logits with the same model in binary64, image by image.

It compares arrays; it opens no file and runs no runtime.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.models.certificate import Certificate, Refusal, bound_model, prepare_inputs
from bnbench.models.exported_model import ExportedModel
from bnbench.models.reference import evaluate_graph
from bnbench.models.stored_network import Images
from bnbench.records import CertificateRecord, VerificationRecord

UNCERTIFIED_TOLERANCE = 1e-4
"""Allowed difference of a logit where no bound covers the network: relative to the image's largest
logit, or absolute if that is below 1."""
_NUM_NAMED_IMAGES = 5


@dataclass(frozen=True, eq=False)
class Reference:
    """A model in binary64 on the test set, and the bound on its evaluations in binary32."""

    model: ExportedModel
    labels: NDArray[np.uint8]
    """The images' classes, shape (num_images,)."""
    logits: NDArray[np.float64]
    """Shape (num_images, 10)."""
    proof: Certificate | Refusal
    """The bound, or why there is none."""

    @property
    def certificate(self) -> Certificate | None:
        """None if the network was refused."""
        return self.proof if isinstance(self.proof, Certificate) else None

    @property
    def logit_bounds(self) -> NDArray[np.float64]:
        """How far a runtime's logits may be from `logits`; shape (num_images, 10)."""
        if self.certificate is not None:
            return self.certificate.logit_bounds
        largest = np.maximum(np.abs(self.logits).max(axis=1, keepdims=True), 1.0)
        return np.broadcast_to(UNCERTIFIED_TOLERANCE * largest, self.logits.shape)

    @property
    def record(self) -> CertificateRecord:
        """What the run's ``certificates.csv`` says of the model."""
        proof = self.proof
        proven = proof if isinstance(proof, Certificate) else None
        return CertificateRecord(
            model=self.model.name,
            variant=self.model.manifest.get_variant().name,
            total=len(self.labels),
            correct=int((self.logits.argmax(axis=1) == self.labels).sum()),
            certified=None if proven is None else int(proven.certified.sum()),
            undecided_units=None if proven is None else int(proven.num_undecided.sum()),
            largest_bound=None if proven is None else float(proven.logit_bounds.max()),
            status=proof.status if isinstance(proof, Refusal) else "bounded",
            reason=proof.reason if isinstance(proof, Refusal) else None,
        )


def make_reference(model: ExportedModel, images: Images, labels: NDArray[np.uint8]) -> Reference:
    """Evaluate a model in binary64, and bound the runtimes that `contract.CONTRACT` covers.

    Raises:
        RunError: the network in the file cannot be read.
        UncoveredError: the reference can't evaluate it, such as one that is known as code alone.
    """
    proof = bound_model(model, images)
    if isinstance(proof, Certificate):
        return Reference(model, labels, proof.logits, proof)
    logits = evaluate_graph(model.graph, prepare_inputs(model, images))
    return Reference(model, labels, logits, proof)


def compare_logits(
    reference: Reference, runtime: str, version: str, found: NDArray[np.floating[Any]]
) -> VerificationRecord:
    """Compare a runtime's logits, shape (num_images, 10), with the reference.

    Rounding explains a prediction that differs if all logits of the image are within their bounds
    and the bound on the lead of the reference's class over the runtime's class reaches that lead.
    Where no bound covers the network, a prediction may differ if all logits are within the
    tolerance: then the two classes lie no farther apart than two logits may be off.
    A prediction that is not explained, and a logit beyond its bound, is a disagreement.
    """
    record = VerificationRecord(
        model=reference.model.name,
        variant=reference.model.manifest.get_variant().name,
        runtime=runtime,
        version=version,
        total=len(reference.labels),
        expected_correct=reference.model.manifest.expected.correct,
        status="disagreed",
    )
    expected, proof = reference.logits, reference.certificate
    if found.shape != expected.shape:
        text = f"expected logits of shape {expected.shape}, got shape {found.shape}"
        return dataclasses.replace(record, reason=text)
    finite = np.isfinite(found).all(axis=1)
    if not finite.all():
        text = f"{int((~finite).sum()):,} images have no finite logits"
        return dataclasses.replace(record, reason=text)

    predictions = found.argmax(axis=1)
    differs = predictions != expected.argmax(axis=1)
    diffs = np.abs(found.astype(np.float64) - expected)
    beyond = diffs > reference.logit_bounds
    explained = differs & ~beyond.any(axis=1)
    if proof is not None:
        explained &= (proof.leads <= proof.rival_bounds)[np.arange(len(found)), predictions]
    unexplained = differs & ~explained
    correct = int((predictions == reference.labels).sum())
    reason = _find_reason(beyond, unexplained, is_covered=proof is not None)
    return dataclasses.replace(
        record,
        correct=correct,
        accuracy=correct / len(found),
        differing=int(differs.sum()),
        unexplained=int(unexplained.sum()),
        max_abs_diff=float(diffs.max()),
        max_bound_share=None if proof is None else float((diffs / proof.logit_bounds).max()),
        status="disagreed" if reason else "agreed",
        reason=reason,
    )


def _find_reason(
    beyond: NDArray[np.bool_], unexplained: NDArray[np.bool_], is_covered: bool
) -> str | None:
    """Why a runtime disagrees, or None."""
    reasons = []
    if beyond.any():
        limit = (
            "rounding can explain"
            if is_covered
            else f"{UNCERTIFIED_TOLERANCE:g} of the image's largest, the tolerance where no bound "
            "covers the network"
        )
        reasons.append(
            f"logits of {int(beyond.any(axis=1).sum()):,} images are off by more than {limit}"
        )
    if unexplained.any():
        named = " ".join(map(str, np.flatnonzero(unexplained)[:_NUM_NAMED_IMAGES]))
        dots = " ..." if unexplained.sum() > _NUM_NAMED_IMAGES else ""
        reasons.append(
            f"{int(unexplained.sum()):,} predictions differ unexplained (image {named}{dots})"
        )
    return "; ".join(reasons) or None
