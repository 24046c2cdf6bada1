"""What a runtime gave and what it should have given, and how well a supposition fits it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.hypothesis import Hypothesis, Images, Values
from bnbench.models.stored_network import StoredNetwork

TOLERANCE = 1e-4
"""How far a supposed logit may be from the observed one, as a share of the image's largest logit
(or of the usual image's largest, if that is larger): some ten times what binary32 rounds, and more
where a mistake makes it round more."""
LARGEST_REMNANT = 0.1
"""How much of the disagreement a supposition may leave unexplained."""
_NUM_SCREENED = 256


@dataclass(frozen=True, eq=False)
class Evidence:
    """A runtime's logits beside the reference's, for the same images."""

    network: StoredNetwork
    images: Images
    observed: Values
    """The runtime's logits, shape (num_images, 10); may hold what is no number."""
    reference: Values
    """The network's in binary64."""

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """What differences are measured by, image by image; shape (num_images,)."""
        finite = np.nan_to_num(self.observed, nan=0.0, posinf=0.0, neginf=0.0)
        largest = np.abs(finite).max(axis=1)
        result: NDArray[np.float64] = np.maximum(largest, np.median(largest)) + 1e-30
        return result

    @cached_property
    def limit(self) -> float:
        """The largest misfit at which a supposition is accepted."""
        plain = self.measure_misfit(self.reference, slice(None))
        return min(TOLERANCE, LARGEST_REMNANT * plain)

    def choose_images(self, num_images: int) -> NDArray[np.int64]:
        """The images that tell most: half where the runtime is farthest off, half evenly.

        Ascending; none of which a logit is no number, so it may be that none is left.
        """
        usable = np.flatnonzero(np.all(np.isfinite(self.observed), axis=1))
        if len(usable) == 0:
            return usable
        difference = np.abs(self.observed - self.reference).max(axis=1) / self.scale
        worst = usable[np.argsort(-difference[usable], kind="stable")[: num_images // 2]]
        evenly = usable[np.linspace(0, len(usable) - 1, num_images // 2).astype(np.int64)]
        return np.unique(np.concatenate([worst, evenly]))

    def measure_misfit(self, supposed: Values, part: NDArray[np.int64] | slice) -> float:
        """The largest difference from what was observed, as a share of `scale`.

        Images for which either is no number are left out; if none is left, the misfit is infinite.
        """
        with np.errstate(invalid="ignore"):
            difference = np.abs(supposed - self.observed[part]).max(axis=1) / self.scale[part]
        comparable = difference[np.isfinite(difference)]
        return float(comparable.max()) if len(comparable) else np.inf

    def accepts(self, hypothesis: Hypothesis) -> float | None:
        """The misfit of an accepted hypothesis over all images; a few images are tried first."""
        if hypothesis.group_size == 1:
            part = self._screened
        else:
            groups = -(-_NUM_SCREENED // hypothesis.group_size)
            part = np.arange(min(groups * hypothesis.group_size, len(self.images)))
        for tried in (part, np.arange(len(self.images))):
            supposed = hypothesis.compute(self.network, self.images[tried])
            misfit = self.measure_misfit(supposed, tried)
            if misfit > self.limit:
                return None
        return misfit

    @cached_property
    def _screened(self) -> NDArray[np.int64]:
        return self.choose_images(_NUM_SCREENED)
