"""A correct count that does not fit its predictions: with which labels were they compared?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.faults import Fault

_LARGEST_SHIFT = 16
"""In images: the 16 bytes of an image file's header, which covers the label file's 8 bytes."""


def diagnose_score(
    predictions: NDArray[Any], labels: NDArray[np.uint8], correct: int
) -> Fault | None:
    """Explain a runtime's correct count where its predictions are right and the count is not.

    Args:
        predictions: the runtime's, whole numbers 0 to 9, shape (num_images,).
        labels: the test set's classes, shape (num_images,).
        correct: the runtime's count of correct images; None is returned if it is right.
    """
    expected = int((predictions == labels).sum())
    if correct == expected:
        return None
    # As wide as the sums: 255 + 1 is no class, and not class 0.
    for shown, explanation in _list_mistakes(labels.astype(np.int64)):
        if int((predictions[: len(shown)] == shown).sum()) == correct:
            return Fault(
                "labels_shifted",
                f"{correct} is the correct count of {explanation}; against the test set's own "
                f"labels the same predictions have {expected}",
            )
    return Fault(
        "unknown",
        f"the correct count is {correct}, and against the test set's labels these predictions "
        f"have {expected}; no shift of the labels explains it. Compare your labels one by one "
        "with t10k-labels-idx1-ubyte in the folder that 'bnbench data' prints: after 8 bytes it "
        "has one byte per label",
    )


def _list_mistakes(labels: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], str]]:
    """Labels as a mistaken reader has them, and the mistake."""
    yield labels + 1, "classes numbered from 1 instead of 0: number them 0 to 9"
    yield labels - 1, "classes one too low: subtract nothing from the labels, they are 0 to 9"
    header = np.frombuffer(b"\x00\x00\x08\x01" + len(labels).to_bytes(4, "big"), dtype=np.uint8)
    with_header = np.concatenate([header.astype(np.int64), labels])[: len(labels)]
    yield with_header, "labels read from the file's start: skip the 8 bytes of its header"
    for shift in range(1, min(_LARGEST_SHIFT, len(labels) - 1) + 1):
        images = "one image" if shift == 1 else f"{shift} images"
        advice = f"{images}: skip exactly the 8 bytes of the label file's header"
        # Lost at the end, taken from the other end, or (8 bytes) read from the header itself.
        yield labels[shift:], f"labels shifted forward by {advice}"
        yield np.roll(labels, -shift), f"labels shifted forward, round the end, by {advice}"
        late = np.concatenate([np.full(shift, -1), labels[:-shift]])
        yield late, f"labels shifted back by {advice}"
        yield np.roll(labels, shift), f"labels shifted back, round the end, by {advice}"
