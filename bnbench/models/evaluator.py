"""A classifier over stored inputs: batches in, scores out.

Not a runtime: it is what sealing and the verification of a single model run in this process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.array_files import StoredArray
from bnbench.errors import RunError
from bnbench.models.classifiers import Classifier, describe_error
from bnbench.models.prepared_inputs import prepare_inputs
from bnbench.models.preprocessing import Preprocessing
from bnbench.models.scores import choose_output, take_scores

_MAX_NUMBERS_PER_BATCH = 1 << 24
_MAX_BATCH_SIZE = 1000


class Evaluator:
    """Feeds a classifier with prepared inputs, in batches as large as those of ``bnbench-eval``.

    Args:
        classifier: a loaded model.
        inputs: as their file holds them.
        preprocessing: what is done to them.
        element: which of several outputs is the one.
        name: the model's, for errors.
    """

    def __init__(
        self,
        classifier: Classifier,
        inputs: StoredArray,
        preprocessing: Preprocessing,
        element: int | str | None,
        name: str,
    ) -> None:
        self._classifier, self._inputs, self._name = classifier, inputs, name
        self._preprocessing, self._element = preprocessing, element
        size = max(1, math.prod(inputs.values.shape[1:]))
        self._batch_size = min(max(_MAX_NUMBERS_PER_BATCH // size, 1), _MAX_BATCH_SIZE)
        self.epsilon = classifier.epsilon
        """Machine epsilon of the coarsest type seen: weights, inputs and outputs."""
        self.is_floating = True
        """Whether the last output was of a floating-point type."""

    def run_all(
        self, steps: Preprocessing | None = None, count: int | None = None
    ) -> NDArray[np.float32]:
        """Scores of all inputs, or of the first `count`; shape (num_inputs, width)."""
        total = len(self._inputs) if count is None else min(count, len(self._inputs))
        parts = [
            self.run(range(first, min(first + self._batch_size, total)), steps)
            for first in range(0, total, self._batch_size)
        ]
        return np.concatenate(parts)

    def run(self, chosen: Sequence[int], steps: Preprocessing | None = None) -> NDArray[np.float32]:
        """Scores of some inputs as one batch; with other steps than usual, if given.

        Raises:
            RunError: the model does not run on them, or its output is no scores or labels.
            SpecError: the steps do not fit the inputs.
        """
        steps = self._preprocessing if steps is None else steps
        where = slice(chosen.start, chosen.stop) if isinstance(chosen, range) else list(chosen)
        batch = prepare_inputs(self._inputs, where, steps)
        try:
            with torch.inference_mode():
                returned = self._classifier.run(batch)
        except Exception as error:  # what a foreign model may raise is anything
            raise RunError(
                f"{self._name}: expected to run on inputs of shape {tuple(batch.shape)} and type "
                f"{str(batch.dtype).removeprefix('torch.')}, got {describe_error(error)}; say by "
                "--preprocess how they are scaled, cast or reshaped, such as divide=255"
            ) from None
        output = choose_output(returned, self._element, self._name)
        for tensor in (batch, output):
            if tensor.is_floating_point():
                self.epsilon = max(self.epsilon, torch.finfo(tensor.dtype).eps)
        self.is_floating = output.is_floating_point()
        return take_scores(output, len(batch), self._name)
