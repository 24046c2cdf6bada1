"""Which mistake gives the logits that a runtime gave: the search through all known mistakes.

Each mistake without a free parameter is tried on a few images, and on all images if it fits. Then
mistakes with free parameters are fitted to a few images. A mistake is named only if it explains
the logits of *all* images; `evidence` says how closely. Otherwise the fault is ``unknown``, and its
text describes the differences.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.models.agreement import Reference
from bnbench.models.diagnosis import fits
from bnbench.models.diagnosis.arithmetic import name_arithmetic
from bnbench.models.diagnosis.faults import Fault
from bnbench.models.diagnosis.hypothesis import Evidence, Hypothesis
from bnbench.models.diagnosis.inputs import list_input_mistakes
from bnbench.models.diagnosis.layers import advise_layers
from bnbench.models.diagnosis.model_file import list_manifests
from bnbench.models.diagnosis.networks import (
    list_layer_mistakes,
    list_output_mistakes,
    list_tensor_mistakes,
    list_training_modes,
)
from bnbench.models.diagnosis.tensors import fit_last_layer, fit_one_value, fit_vector
from bnbench.models.exported_model import ExportedModel
from bnbench.models.manifest import Probes
from bnbench.recipes import RecipeSpec

_EQUALLY_GOOD = 3.0
_MOSTLY_GUESSED = 2.0  # times the accuracy of guessing
_LOW_PRECISION = 2.0**-16, 2.0**-7

# Those with fewer parameters come first.
_FITS = (
    fits.fit_class_order,
    fits.fit_image_order,
    fits.fit_batch_size,
    fits.fit_normalization,
    fit_one_value,
    fit_vector,
    fit_last_layer,
)


def diagnose_logits(
    reference: Reference,
    logits: NDArray[np.floating[Any]],
    images: NDArray[np.uint8],
) -> Fault | None:
    """Name the mistake behind a runtime's logits.

    Args:
        reference: the model in binary64; the manifests beside its file show if the logits are
            another model's.
        logits: the runtime's, shape (num_images, 10).
        images: those of both, shape (num_images, 28, 28).

    Returns:
        None if every logit is within `Reference.logit_bounds`.
    """
    observed = logits.astype(np.float64)
    outside = ~(np.abs(observed - reference.logits) <= reference.logit_bounds)
    if not outside.any():
        return None
    evidence = Evidence(reference.model.network, images, observed, reference.logits)
    fault = None
    if np.isfinite(observed).all(axis=1).any():
        # A fit may try what overflows, or a negative variance. The result is not finite and
        # never accepted.
        with np.errstate(all="ignore"):
            fault = _name_fault(evidence, reference.model)
    return fault or _describe_unknown(evidence, outside, reference)


def _name_fault(evidence: Evidence, model: ExportedModel) -> Fault | None:
    """The mistake that explains the logits, if one does."""
    network, num_images = evidence.network, len(evidence.images)
    batch_size = (model.manifest.recipe or RecipeSpec()).batch_size
    hypotheses = itertools.chain(
        list_input_mistakes(evidence.images),
        list_training_modes(network, num_images, batch_size),
        list_tensor_mistakes(network, batch_size),
        list_layer_mistakes(network),
        list_output_mistakes(),
    )
    return (
        _choose(evidence, hypotheses)
        or _find_model(evidence, model)
        # A larger eps shrinks values, and so does cutting off their bits: eps explains all images.
        or _choose(evidence, fits.fit_eps(evidence))
        or name_arithmetic(evidence)
        or next((f for fit in _FITS if (f := _choose(evidence, fit(evidence)))), None)
    )


def _choose(evidence: Evidence, hypotheses: Iterator[Hypothesis]) -> Fault | None:
    """The first hypothesis that fits about as well as the best one."""
    accepted = [
        (misfit, hypothesis.fault)
        for hypothesis in hypotheses
        if (misfit := evidence.accepts(hypothesis)) is not None
    ]
    best = min((misfit for misfit, _ in accepted), default=0.0)
    return next((fault for misfit, fault in accepted if misfit <= _EQUALLY_GOOD * best), None)


def _find_model(evidence: Evidence, model: ExportedModel) -> Fault | None:
    """Another model whose manifest has these logits for its probe images."""

    def match(probes: Probes | None) -> bool:
        if probes is None or not probes.indices:
            return False
        part = np.array(probes.indices)
        return evidence.measure_misfit(np.array(probes.logits), part) <= evidence.limit

    own = model.manifest
    if match(own.expected.probes):
        return None  # the probe images are right, so they can't tell whose the others are
    for path, other in list_manifests(model.path.parent):
        is_other = other.data == own.data and other.model.sha256 != own.model.sha256
        if is_other and match(other.expected.probes):
            return Fault(
                "foreign_manifest",
                f"the logits are those of another model, the one of {path.name}; evaluate "
                f"{own.model.file}, or compare them with that one",
            )
    return None


def _describe_unknown(
    evidence: Evidence, outside: NDArray[np.bool_], reference: Reference
) -> Fault:
    """Describe the differences if no mistake with a name explains them."""
    labels, path = reference.labels, reference.model.path
    finite: NDArray[np.bool_] = np.all(np.isfinite(evidence.observed), axis=1)
    observed = evidence.observed[finite]
    notes = [f"{int(outside.any(axis=1).sum())} of {len(finite)} images are beyond rounding"]
    if len(observed) < len(finite):
        notes.append(f"{len(finite) - len(observed)} images have logits that are no numbers")
    classes = np.flatnonzero(outside.any(axis=0))
    num_classes = evidence.reference.shape[1]
    if len(classes) < num_classes:
        notes.append(
            f"only the logits of classes {', '.join(map(str, classes))} are wrong, so look at the "
            "last layer and at what comes after it"
        )
    if len(observed):
        right = float((observed.argmax(axis=1) == labels[finite]).mean())
        notes.append(f"{right:.1%} are classified right")
        if right < _MOSTLY_GUESSED / num_classes:
            notes.append(
                f"guessing gives {100 / num_classes:.3g} %, so look first whether the weights were "
                "loaded at all, and whether this is the model that the runtime evaluated"
            )
        difference = np.abs(observed - evidence.reference[finite]).max(axis=1)
        typical = float(np.median(difference / evidence.scale[finite]))
        if _LOW_PRECISION[0] < typical < _LOW_PRECISION[1]:
            notes.append(
                f"half of the images are off by less than {typical:.1e} of their largest logit, as "
                "half precision or quantized weights may do"
            )
    return Fault(
        "unknown",
        f"no mistake with a name explains the logits: {'; '.join(notes)}. {advise_layers(path)}",
    )
