"""Mistakes with a free parameter, which is fitted to the logits: eps, batch size, order, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.optimize import least_squares, minimize_scalar
from scipy.spatial import KDTree

from bnbench.models.diagnosis.faults import Fault
from bnbench.models.diagnosis.hypothesis import Evidence, Hypothesis, Values, replace_tensors
from bnbench.models.diagnosis.inputs import suppose_normalization
from bnbench.models.diagnosis.networks import list_all_or_one, suppose_training
from bnbench.models.reference import compute_logits, evaluate, scale_pixels
from bnbench.models.stored_network import BatchNormLayer, Images, StoredNetwork

_NUM_FITTED = 256
_LARGEST_BATCH_SIZE = 256
_LOG_EPS_GRID = np.arange(-9.0, 1.5, 0.5)


def fit_eps(evidence: Evidence) -> Iterator[Hypothesis]:
    """That all normalizations, or one, have another eps."""
    original = evidence.network.constants
    part = evidence.choose_images(_NUM_FITTED)
    images, observed = evidence.images[part], evidence.observed[part]
    for names in list_all_or_one([name.removesuffix(".eps") for name in original]):

        def compute(
            network: StoredNetwork, images: Images, eps: float, names: list[str] = names
        ) -> Values:
            tensors = {f"{name}.eps": eps for name in names}
            return compute_logits(replace_tensors(network, tensors), images)

        def measure(log_eps: float, compute: Callable[..., Values] = compute) -> float:
            supposed = compute(evidence.network, images, 10.0**log_eps)
            return float(np.square(supposed - observed).sum())

        start = min(_LOG_EPS_GRID, key=measure)
        bounds = (start - 0.5, start + 0.5)
        found = minimize_scalar(measure, bounds=bounds, method="bounded", options={"xatol": 1e-7})
        eps = 10.0 ** float(found.x)
        nearest = 10.0 ** round(float(found.x))
        eps = nearest if abs(eps / nearest - 1) < 0.02 else eps  # people write round numbers
        shown = f"about {eps:.2g}" if eps > 1e-7 else "next to nothing"
        text = (
            f"eps of {' and '.join(names)} is {shown} instead of {original[f'{names[0]}.eps']:g}; "
            "take it from the file, or set it by hand (frameworks differ in their default)"
        )
        yield Hypothesis(Fault("constant_altered", text), partial(compute, eps=eps))


def fit_batch_size(evidence: Evidence) -> Iterator[Hypothesis]:
    """That batch normalization ran in training mode, in batches of an unusual size."""
    names = [n.name for n in evidence.network.layers if isinstance(n, BatchNormLayer)]
    sizes = range(2, min(_LARGEST_BATCH_SIZE, len(evidence.images)) + 1) if names else ()
    for size in sizes:
        hypothesis = suppose_training(names, size)
        first = np.arange(size)  # one batch is enough to reject a size
        supposed = hypothesis.compute(evidence.network, evidence.images[:size])
        if evidence.measure_misfit(supposed, first) <= evidence.limit:
            yield hypothesis


def fit_normalization(evidence: Evidence) -> Iterator[Hypothesis]:
    """That pixels were normalized with some mean and standard deviation."""
    part = evidence.choose_images(_NUM_FITTED)
    pixels, observed = scale_pixels(evidence.images[part]), evidence.observed[part]

    def compute_residuals(factors: Values) -> Values:
        supposed = evaluate(evidence.network, factors[0] * pixels + factors[1])
        result: Values = (supposed - observed).ravel()
        return result

    starts = [
        np.array([factor, -factor * mean])
        for factor in (-2.0, -1.0, 0.1, 0.5, 1.0, 2.0, 3.0, 4.5, 30.0, 255.0)
        for mean in (0.0, 0.15, 0.3, 0.5)
    ]
    start = min(starts, key=lambda factors: float(np.square(compute_residuals(factors)).sum()))
    slope, offset = least_squares(compute_residuals, start, method="lm", max_nfev=60).x
    if abs(slope) >= 1e-9:
        yield suppose_normalization(-offset / slope, 1 / slope, "fitted to the logits")


def fit_class_order(evidence: Evidence) -> Iterator[Hypothesis]:
    """That the logits stand in another order of the classes."""
    part = evidence.choose_images(_NUM_FITTED)
    observed, reference = evidence.observed[part], evidence.reference[part]
    order = np.abs(observed[:, :, None] - reference[:, None, :]).max(axis=0).argmin(axis=1)
    if len(set(order.tolist())) < len(order):
        return
    text = (
        f"the logits stand in another order: places 0 to 9 hold classes "
        f"{', '.join(map(str, order.tolist()))}; give them in the order of the classes"
    )
    yield Hypothesis(
        Fault("classes_permuted", text),
        lambda network, images: compute_logits(network, images)[:, order],
    )


def fit_image_order(evidence: Evidence) -> Iterator[Hypothesis]:
    """That images have the logits of other images."""
    if not np.isfinite(evidence.observed).all():
        return
    num_images = len(evidence.images)
    _, found = KDTree(evidence.reference).query(evidence.observed)
    owners = np.asarray(found, dtype=np.int64)
    shifts, counts = np.unique(owners - np.arange(num_images), return_counts=True)
    shift = int(shifts[counts.argmax()])
    if shift and 2 * counts.max() > num_images:
        places = f"{abs(shift)} place{'s' if abs(shift) > 1 else ''}"
        text = f"every image has the logits of the one {places} {'on' if shift > 0 else 'before'}"
        # Rows without such an image hold no evidence.
        owners = np.arange(num_images) + shift
    elif len(set(owners.tolist())) > 0.9 * num_images:
        text = "the images were evaluated in another order"
    else:
        text = (
            f"images have the logits of others; {len(set(owners.tolist()))} of {num_images} occur"
        )

    def compute(network: StoredNetwork, images: Images) -> Values:
        logits = compute_logits(network, images)
        inside = (owners >= 0) & (owners < len(logits))
        return np.where(inside[:, None], logits[owners % len(logits)], np.nan)

    advice = "evaluate all images, each once, in the order of the file"
    yield Hypothesis(Fault("images_shifted", f"{text}; {advice}"), compute, num_images)
