"""Which tensor, or which value of one, was altered: found from the logits alone.

A small change `d` of a value moves the logits by `d` times their derivative. The search takes the
value whose derivative explains most of the disagreement (one step of matching pursuit), and fits
`d` with the network itself. All values of a vector, such as a running mean, are fitted at once by
the Gauss-Newton method, and so is the last layer. Earlier layers have too many weights for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.evidence import Evidence
from bnbench.models.diagnosis.hypothesis import Hypothesis, Values, list_parameters, suppose_tensors
from bnbench.models.diagnosis.slopes import Slope, list_slopes, run_from
from bnbench.models.stored_network import StoredNetwork

_NUM_FITTED = 256
_CANDIDATES_A_TENSOR = 10
_STEPS = 12
_START_FACTORS = (1, 0.5, 0.25, 2, 4, 8, 16, 32, 64, -1)
_EQUALLY_GOOD = 3.0
_ROUNDING = 2e-6  # usual rounding in binary32, relative to an image's largest logit
_LOAD = "load every tensor of the file as it is"


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
                fits.append(
                    _fit_change(evidence.network, slope, place, float(change[place]), observed)
                )
    yield from _suppose(evidence, part, fits)


def fit_vector(evidence: Evidence) -> Iterator[Hypothesis]:
    """That any values of a single vector (bias, scale, running mean or variance) are others."""
    part = evidence.choose_images(2 * _NUM_FITTED)
    observed = evidence.observed[part]
    slopes = list_slopes(evidence.network, evidence.images[part])
    vectors = [slope for slope in slopes if slope.values.ndim == 1]
    fits = [_fit_all(evidence.network, slope, observed) for slope in vectors]
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
        text = f"altered is {' and '.join(told)}; {_LOAD}"
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
    text = f"altered is {', or '.join(alternatives)}{ambiguity}; {_LOAD}"
    winner = min(equal, key=lambda fit: fit.loss)
    yield suppose_tensors("parameter_altered", text, {winner.name: winner.values})


def _describe_places(places: NDArray[np.int64], shape: tuple[int, ...]) -> str:
    if len(places) == 1:
        return f"its value [{', '.join(map(str, places[0].tolist()))}]"
    return f"{len(places)} of its {int(np.prod(shape))} values"


def _fit_change(
    network: StoredNetwork,
    slope: Slope,
    place: tuple[np.intp, ...],
    start: float,
    observed: Values,
) -> _Fit:
    """Fit the change of one value, from its linear estimate on."""

    def compute_residual(change: float) -> Values:
        values = slope.values.astype(np.float64)
        values[place] += change
        return run_from(network, slope, values) - observed

    def measure(change: float) -> float:
        loss = float(np.square(compute_residual(change)).sum())
        return loss if np.isfinite(loss) else np.inf

    change = min((start * factor for factor in _START_FACTORS), key=measure)
    loss = measure(change)
    for _ in range(_STEPS):
        step = 1e-6 * change
        residual = compute_residual(change)
        derivative = (compute_residual(change + step) - residual) / step
        square = float(np.square(derivative).sum())
        if square == 0:
            break
        proposed = change - float((residual * derivative).sum()) / square
        proposed_loss = measure(proposed)
        if not proposed_loss < loss:
            break
        change, loss = proposed, proposed_loss
    values = slope.values.astype(np.float64)
    values[place] += change
    return _Fit(slope.name, values.astype(np.float32), loss)


def _fit_all(network: StoredNetwork, slope: Slope, observed: Values) -> _Fit:
    """Fit all values of a vector; halved steps where a whole one leads astray."""
    values = slope.values.astype(np.float64)
    residual = run_from(network, slope, values) - observed
    loss = float(np.square(residual).sum())
    for _ in range(_STEPS):
        current = list_slopes(network, slope.images, {slope.name: values.astype(np.float32)})
        (here,) = [other for other in current if other.name == slope.name]
        matrix = here.make_matrix()
        step = np.linalg.lstsq(matrix, -residual.ravel(), rcond=1e-9)[0]
        for _ in range(6):
            proposed = values + step
            proposed_residual = run_from(network, slope, proposed) - observed
            proposed_loss = float(np.square(proposed_residual).sum())
            if proposed_loss < loss:
                break
            step = step / 2
        else:
            break
        if not proposed_loss < loss * (1 - 1e-6):
            break
        values, residual, loss = proposed, proposed_residual, proposed_loss
    return _Fit(slope.name, values.astype(np.float32), loss)
