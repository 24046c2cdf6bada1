"""Which mistake would give the logits that a runtime gave?

Every mistake in the tables is tried on a few images, and on all if it fits; those with a free
parameter are fitted to a few images first. A mistake is named only if it explains the logits of
*all* images (`evidence` says how closely). Otherwise the fault is "unknown", and its text
tells what the differences look like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.models.agreement import get_logit_bounds
from bnbench.models.certificate import Certificate, certify
from bnbench.models.diagnosis.evidence import Evidence
from bnbench.models.diagnosis.faults import Fault
from bnbench.models.diagnosis.fits import (
    fit_batch_size,
    fit_class_order,
    fit_eps,
    fit_image_order,
    fit_normalization,
)
from bnbench.models.diagnosis.hypothesis import Hypothesis
from bnbench.models.diagnosis.inputs import list_input_mistakes
from bnbench.models.diagnosis.model_file import list_other_manifests
from bnbench.models.diagnosis.networks import (
    list_layer_mistakes,
    list_output_mistakes,
    list_tensor_mistakes,
    list_training_modes,
)
from bnbench.models.diagnosis.tensors import fit_last_layer, fit_one_value, fit_vector
from bnbench.models.reference import compute_logits
from bnbench.models.stored_network import StoredNetwork

_EQUALLY_GOOD = 3.0
_LOW_PRECISION = 2.0**-16, 2.0**-7

_FITS: tuple[Callable[[Evidence], Iterator[Hypothesis]], ...] = (
    fit_eps,
    fit_class_order,
    fit_image_order,
    fit_batch_size,
    fit_normalization,
    fit_one_value,
    fit_vector,
    fit_last_layer,
)
"""The fewer parameters the earlier."""


def diagnose_logits(
    network: StoredNetwork,
    manifest: Mapping[str, Any],
    logits: NDArray[np.floating[Any]],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    certificate: Certificate | None = None,
    folder: Path | None = None,
) -> Fault | None:
    """Name the mistake behind a runtime's logits.

    Args:
        network: as it is in the model's file.
        manifest: the model's.
        logits: the runtime's, shape (num_images, 10).
        images: uint8, shape (num_images, 28, 28).
        labels: the test set's classes, shape (num_images,).
        certificate: of `network` on `images`, if it is at hand.
        folder: where the manifests of other models lie, to see if the logits are one of theirs.

    Returns:
        None if rounding explains every difference (of a network that the certificate does not
        cover: if none is above what `get_logit_bounds` lets pass).
    """
    if certificate is None:
        certificate = certify(network, images)
    reference = compute_logits(network, images) if certificate is None else certificate.logits
    observed = logits.astype(np.float64)
    bounds = get_logit_bounds(reference, certificate)
    outside = ~(np.abs(observed - reference) <= bounds)
    if not outside.any():
        return None
    evidence = Evidence(network, images, observed, reference)
    if not np.isfinite(observed).all(axis=1).any():
        return _describe_unknown(evidence, outside, labels)
    # A fit may try what overflows, or a negative variance; what comes out is no number, and no fit.
    with np.errstate(all="ignore"):
        return _name(evidence, manifest, folder) or _describe_unknown(evidence, outside, labels)


def _name(evidence: Evidence, manifest: Mapping[str, Any], folder: Path | None) -> Fault | None:
    """The mistake that explains the logits, if one does."""
    num_images, batch_size = len(evidence.images), int(manifest["recipe"]["batch_size"])
    return (
        _choose(evidence, _list_hypotheses(evidence.network, num_images, batch_size))
        or _find_model(evidence, manifest, folder)
        or next((f for fit in _FITS if (f := _choose(evidence, fit(evidence)))), None)
    )


def _list_hypotheses(
    network: StoredNetwork, num_images: int, batch_size: int
) -> Iterator[Hypothesis]:
    yield from list_input_mistakes(num_images)
    yield from list_training_modes(network, num_images, batch_size)
    yield from list_tensor_mistakes(network, batch_size)
    yield from list_layer_mistakes(network)
    yield from list_output_mistakes()


def _choose(evidence: Evidence, hypotheses: Iterator[Hypothesis]) -> Fault | None:
    """The first of those that fit about as well as the best does."""
    accepted = [
        (misfit, hypothesis.fault)
        for hypothesis in hypotheses
        if (misfit := evidence.accepts(hypothesis)) is not None
    ]
    best = min((misfit for misfit, _ in accepted), default=0.0)
    return next((fault for misfit, fault in accepted if misfit <= _EQUALLY_GOOD * best), None)


def _find_model(
    evidence: Evidence, manifest: Mapping[str, Any], folder: Path | None
) -> Fault | None:
    """Another model whose manifest has these logits for its probe images."""

    def fits(probes: Mapping[str, Any]) -> bool:
        part = np.array(probes["indices"])
        return evidence.measure_misfit(np.array(probes["logits"]), part) <= evidence.limit

    own = manifest["expected"]["probes"]
    if own["indices"] and fits(own):
        return None  # the probe images are not those that are wrong, so they can't tell whose
    for path, other in list_other_manifests(folder):
        probes = other["expected"]["probes"]
        same_data = other["data"] == manifest["data"] and probes["indices"]
        if not same_data or other["model"]["sha256"] == manifest["model"]["sha256"]:
            continue
        if fits(probes):
            return Fault(
                "foreign_manifest",
                f"the logits are those of another model, the one of {path.name}; evaluate "
                f"{manifest['model']['file']}, or hold them against that one",
            )
    return None


def _describe_unknown(
    evidence: Evidence, outside: NDArray[np.bool_], labels: NDArray[np.uint8]
) -> Fault:
    """What the differences look like, where no mistake that has a name explains them."""
    finite: NDArray[np.bool_] = np.all(np.isfinite(evidence.observed), axis=1)
    observed = evidence.observed[finite]
    told = [f"{int(outside.any(axis=1).sum())} of {len(finite)} images are beyond rounding"]
    if len(observed) < len(finite):
        told.append(f"{len(finite) - len(observed)} images have logits that are no numbers")
    classes = np.flatnonzero(outside.any(axis=0))
    if len(classes) < 10:
        told.append(
            f"only the logits of classes {', '.join(map(str, classes))} are wrong, so look at the "
            "last layer and at what comes after it"
        )
    if len(observed):
        told.append(
            f"{(observed.argmax(axis=1) == labels[finite]).mean():.1%} are classified right"
        )
        difference = np.abs(observed - evidence.reference[finite]).max(axis=1)
        typical = float(np.median(difference / evidence.scale[finite]))
        if _LOW_PRECISION[0] < typical < _LOW_PRECISION[1]:
            told.append(
                f"half of the images are off by less than {typical:.1e} of their largest logit, as "
                "half precision or quantised weights may do"
            )
    return Fault(
        "unknown",
        f"no mistake with a name explains the logits: {'; '.join(told)}. Compare the outputs of "
        "each layer, first to last, with those of bnbench's float64 runtime",
    )
