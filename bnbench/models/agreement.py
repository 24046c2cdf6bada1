"""Holding a runtime's logits against the same model in binary64, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.models.certificate import Certificate, certify
from bnbench.models.reference import compute_logits
from bnbench.models.stored_network import StoredNetwork
from bnbench.records import AgreementRecord, CertificateRecord, VerificationStatus

UNCERTIFIED_TOLERANCE = 1e-4
"""Where no bound covers a network: the difference of a logit that is let pass, relative to the
image's largest logit, or absolute if that is below 1."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A model in binary64 on the test set, and the bound on every binary32 evaluation of it."""

    model: str
    variant: str
    labels: NDArray[np.uint8]
    """Shape (num_images,)."""
    logits: NDArray[np.float64]
    """Shape (num_images, 10)."""
    certificate: Certificate | None

    @property
    def record(self) -> CertificateRecord:
        """What goes on record of the reference itself."""
        proof = self.certificate
        return CertificateRecord(
            model=self.model,
            variant=self.variant,
            total=len(self.labels),
            correct=int((self.logits.argmax(axis=1) == self.labels).sum()),
            certified=None if proof is None else int(proof.certified.sum()),
            undecided_units=None if proof is None else int(proof.num_undecided.sum()),
            largest_bound=None if proof is None else float(proof.logit_bounds.max()),
        )


def make_reference(
    model: str,
    variant: str,
    network: StoredNetwork,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> Reference:
    """Evaluate a stored network in binary64 and bound what any binary32 runtime may give.

    Args:
        model: the file's name.
        variant: the network's name.
        network: as read from the file.
        images: uint8, shape (num_images, 28, 28).
        labels: uint8, shape (num_images,).
    """
    proof = certify(network, images)
    logits = compute_logits(network, images) if proof is None else proof.logits
    return Reference(model, variant, labels, logits, proof)


def get_logit_bounds(
    logits: NDArray[np.float64], certificate: Certificate | None
) -> NDArray[np.float64]:
    """How far a runtime's logits may be from the reference's.

    Args:
        logits: the reference's, shape (num_images, 10).
        certificate: its certificate; None where no bound covers the network.

    Returns:
        Shape (num_images, 10).
    """
    if certificate is not None:
        return certificate.logit_bounds
    largest = np.maximum(np.abs(logits).max(axis=1, keepdims=True), 1.0)
    return np.broadcast_to(UNCERTIFIED_TOLERANCE * largest, logits.shape)


def compare_logits(
    reference: Reference, runtime: str, version: str, found: NDArray[np.floating[Any]]
) -> AgreementRecord:
    """Hold what a runtime gave against the reference.

    A prediction that differs is explained only if the bound on the lead of the reference's class
    over the runtime's reaches that lead, and all logits of the image are within their own. Anything
    else, and any logit further off than its bound, is a disagreement.

    Args:
        reference: the model in binary64.
        runtime: the runtime's name.
        version: its software.
        found: its logits, shape (num_images, 10).
    """

    def judge(
        reason: str | None, status: VerificationStatus = "disagreed", **figures: Any
    ) -> AgreementRecord:
        names = ("correct", "differing", "explained", "max_abs_diff", "max_ulp_diff")
        return AgreementRecord(
            model=reference.model,
            variant=reference.variant,
            runtime=runtime,
            version=version,
            total=len(reference.labels),
            max_bound_share=figures.pop("max_bound_share", None),
            **{name: figures.get(name) for name in names},
            status=status if reason else "agreed",
            reason=reason,
        )

    expected = reference.logits
    if found.shape != expected.shape:
        return judge(f"logits must have shape {expected.shape}, and have {found.shape}")
    if not np.isfinite(found).all():
        return judge(
            f"{int((~np.isfinite(found)).any(axis=1).sum()):,} images have no finite logits"
        )

    rows = np.arange(len(expected))
    predictions = found.argmax(axis=1)
    differs = predictions != expected.argmax(axis=1)
    diffs = np.abs(found.astype(np.float64) - expected)
    largest = np.abs(expected).max(axis=1, keepdims=True)
    units = np.spacing(largest.astype(np.float32)).astype(np.float64)
    figures: dict[str, Any] = {
        "correct": int((predictions == reference.labels).sum()),
        "differing": int(differs.sum()),
        "max_abs_diff": float(diffs.max()),
        "max_ulp_diff": float((diffs / units).max()),
    }
    proof = reference.certificate
    beyond = diffs > get_logit_bounds(expected, proof)
    if proof is None:
        explained = np.zeros_like(differs)
        limit = (
            f"{UNCERTIFIED_TOLERANCE:g} of the image's largest, the tolerance where no bound "
            "covers the network"
        )
    else:
        figures["max_bound_share"] = float((diffs / proof.logit_bounds).max())
        within_reach = (proof.leads <= proof.rival_bounds)[rows, predictions]
        explained = differs & within_reach & ~beyond.any(axis=1)
        limit = "rounding can explain"
    figures["explained"] = int(explained.sum())
    return judge(_find_reason(beyond, differs & ~explained, limit), **figures)


def _find_reason(beyond: NDArray[np.bool_], faults: NDArray[np.bool_], limit: str) -> str | None:
    """Why a runtime disagrees, or None."""
    reasons = []
    if beyond.any():
        reasons.append(
            f"logits of {int(beyond.any(axis=1).sum()):,} images are off by more than {limit}"
        )
    if faults.any():
        named = " ".join(map(str, np.flatnonzero(faults)[:5]))
        dots = " ..." if faults.sum() > 5 else ""
        reasons.append(
            f"{int(faults.sum()):,} predictions differ unexplained (image {named}{dots})"
        )
    return "; ".join(reasons) or None
