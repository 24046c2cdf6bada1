"""Which tensor, or which value of one, was altered: found from the logits alone.

A small change `d` of a value moves the logits by `d` times their derivative. The search takes the
value whose derivative explains most of the disagreement (one step of matching pursuit), and fits
`d` with the network itself. All values of a vector, such as a running mean, are fitted at once by
least squares, and so is the last layer. Earlier layers have too many weights for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from bnbench.models.diagnosis.hypothesis import (
    LOAD_ADVICE,
    Evidence,
    Hypothesis,
    Values,
    list_parameters,
    replace_tensors,
    suppose_tensors,
)
from bnbench.models.diagnosis.slopes import Slope, list_slopes, run_from
from bnbench.models.stored_network import Images, StoredNetwork

_NUM_FITTED = 256
_CANDIDATES_A_TENSOR = 10
_STOP: dict[str, Any] = {"ftol": 1e-6, "xtol": 1e-9, "gtol": None, "max_nfev": 12}
_START_FACTORS = (1, 0.5, 0.25, 2, 4, 8, 16, 32, 64, -1)
_EQUALLY_GOOD = 3.0
_ROUNDING = 2e-6  # usual rounding in binary32, relative to an image's largest logit


@dataclass(frozen=True, eq=False)
class _Fit:
    name: str
    """The tensor's."""
    values: NDArray[np.float32]
    """All of it, as the runtime seems to have it."""
    loss: float


def fit_one_value(evidence: Evidence) -> Iterator[Hypothesis]:
    """That a single value of a single tensor is another one."""
    part = evidence.choose_images(_NUM_FITTED)
    observed = evidence.observed[part]
    residual = observed - evidence.reference[part]
    fits = []
    for slope in list_slopes(evidence.network, evidence.images[part]):
        product, square = slope.project(residual)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.nan_to_num(product**2 / square)
            change = np.nan_to_num(product / square)
        for flat in np.argsort(-gain, axis=None)[:_CANDIDATES_A_TENSOR]:
            place = np.unravel_index(flat, gain.shape)
            if gain[place] > 0:
                start = float(change[place])
                fits.append(_fit_one(evidence.network, slope, place, start, observed))
    yield from _suppose(evidence, part, fits)


def fit_vector(evidence: Evidence) -> Iterator[Hypothesis]:
    """That any values of a single vector (bias, scale, running mean or variance) are others."""
    part = evidence.choose_images(2 * _NUM_FITTED)
    images, observed = evidence.images[part], evidence.observed[part]
    slopes = list_slopes(evidence.network, images)
    vectors = [slope for slope in slopes if slope.values.ndim == 1]
    fits = [_fit_all(evidence.network, images, slope, observed) for slope in vectors]
    yield from _suppose(evidence, part, fits)


def fit_last_layer(evidence: Evidence) -> Iterator[Hypothesis]:
    """That any weights of the last layer are others: exact, since logits are linear in them."""
    last = evidence.network.layers[-1]
    num_inputs = vars(last)["weight"].shape[1]
    part = evidence.choose_images(max(2 * _NUM_FITTED, 4 * num_inputs))
    (weight, bias) = list_slopes(evidence.network, evidence.images[part])[-2:]
    inputs = np.column_stack([weight.inputs, np.ones(len(part))])
    residual = evidence.observed[part] - evidence.reference[part]
    change = np.linalg.lstsq(inputs, residual, rcond=1e-9)[0]
    altered = {weight.name: change[:-1].T, bias.name: change[-1]}
    tensors, told = {}, []
    for name, original in ((weight.name, weight.values), (bias.name, bias.values)):
        threshold = 1e-4 * np.abs(original).max(initial=1e-30)
        differing = np.abs(altered[name]) > threshold
        if differing.any():
            tensors[name] = (original + altered[name]).astype(np.float32)
            told.append(f"{name} in {_describe_places(np.argwhere(differing), original.shape)}")
    if tensors:
        text = f"altered is {' and '.join(told)}; {LOAD_ADVICE}"
        yield suppose_tensors("parameter_altered", text, tensors)


def _suppose(
    evidence: Evidence, part: NDArray[np.int64], fits: Sequence[_Fit]
) -> Iterator[Hypothesis]:
    """The best fit; the text names those that can't be told from it."""
    if not fits:
        return
    best = min(fit.loss for fit in fits)
    rounding = 10 * float(np.square(_ROUNDING * evidence.scale[part]).sum())
    equal = [fit for fit in fits if fit.loss <= _EQUALLY_GOOD**2 * best + rounding]
    originals = list_parameters(evidence.network)
    chosen: dict[str, list[str]] = {}
    for fit in sorted(equal, key=lambda fit: fit.loss):
        original = originals[fit.name]
        differing = np.abs(fit.values - original) > 1e-4 * np.abs(original).max(initial=1e-30)
        places = np.argwhere(differing if differing.any() else fit.values != original)
        told = _describe_places(places, original.shape)
        if len(places) == 1:
            place = tuple(places[0])
            told += f" ({fit.values[place]:.6g} instead of {original[place]:.6g})"
        chosen.setdefault(fit.name, []).append(told)
    alternatives = [f"{name} in {' or '.join(told[:3])}" for name, told in chosen.items()]
    ambiguity = ", which the logits can't tell apart" if len(equal) > 1 else ""
    text = f"altered is {', or '.join(alternatives)}{ambiguity}; {LOAD_ADVICE}"
    winner = min(equal, key=lambda fit: fit.loss)
    yield suppose_tensors("parameter_altered", text, {winner.name: winner.values})


def _describe_places(places: NDArray[np.int64], shape: tuple[int, ...]) -> str:
    if len(places) == 1:
        return f"its value [{', '.join(map(str, places[0].tolist()))}]"
    return f"{len(places)} of its {int(np.prod(shape))} values"


def _fit_one(
    network: StoredNetwork,
    slope: Slope,
    place: tuple[np.intp, ...],
    change: float,
    observed: Values,
) -> _Fit:
    """Fit the change of one value, from its linear estimate on."""

    def make_values(factor: Values) -> Values:
        values = slope.values.astype(np.float64)
        values[place] += factor[0] * change
        return values

    def compute_residual(factor: Values) -> Values:
        return _subtract(run_from(network, slope, make_values(factor)), observed)

    starts = np.array(_START_FACTORS)[:, None]
    start = min(starts, key=lambda factor: float(np.square(compute_residual(factor)).sum()))
    found = least_squares(compute_residual, start, **_STOP)
    return _Fit(slope.name, make_values(found.x).astype(np.float32), 2 * found.cost)


def _fit_all(network: StoredNetwork, images: Images, slope: Slope, observed: Values) -> _Fit:
    """Fit all values of a vector."""

    def compute_residual(values: Values) -> Values:
        return _subtract(run_from(network, slope, values), observed)

    def compute_jacobian(values: Values) -> Values:
        current = list_slopes(replace_tensors(network, {slope.name: values}), images)
        (here,) = [other for other in current if other.name == slope.name]
        assert here.factor is not None  # it is a vector
        jacobian: Values = (here.outputs * here.factor[:, None]).reshape(-1, len(values))
        return jacobian

    start = slope.values.astype(np.float64)
    found = least_squares(compute_residual, start, jac=compute_jacobian, **_STOP)
    return _Fit(slope.name, found.x.astype(np.float32), 2 * found.cost)


def _subtract(logits: Values, observed: Values) -> Values:
    """Residuals as a vector; a negative variance gives none, so they are taken as large."""
    return np.nan_to_num(logits - observed, nan=1e6, posinf=1e6, neginf=-1e6).ravel()
