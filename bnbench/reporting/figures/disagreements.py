"""Test images on which the networks disagree, as they are, with each network's answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bnbench.inspection import DisagreementRecord, ImageRecord
from bnbench.reporting.figures.canvas import (
    EDGE,
    LINE_HEIGHT,
    SMALL_FONT_SIZE,
    WIDTH,
    Panel,
    make_panels,
    measure_labels,
    write_at,
    write_heading,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import INK, style_series
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name

TITLE = "Images on which the networks disagree"
NUM_COLUMNS = 3
LONGEST_NAME = 11
"""Characters of a variant's name beside its answers."""
SIDE = 0.95
"""Inches of an image's longer side."""
LINE = SMALL_FONT_SIZE * LINE_HEIGHT / 72
"""Inches of a line of text."""


def draw_disagreements(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw strips of images for each candidate, ahead and behind; None where there is none."""
    if summary.inspection is None or summary.inspection.image_size is None:
        return None
    size = summary.inspection.image_size
    found, names = summary.inspection.disagreements, summary.inspection.class_names
    # With several candidates one strip per direction: the figure would be too long.
    num_images = NUM_COLUMNS * (2 if len(found) == 1 else 1)
    strips = [
        (each, f"{_shorten(winner)} right, {_shorten(loser)} wrong", images[start:end])
        for each in found
        for winner, loser, images in (
            (each.candidate, each.baseline, each.ahead),
            (each.baseline, each.candidate, each.behind),
        )
        for start in range(0, min(len(images), num_images), NUM_COLUMNS)
        for end in (min(start + NUM_COLUMNS, num_images),)
    ]
    if not strips:
        return None
    row_names = {"": ["true class", *(_shorten(name) for each in found for name in _pair(each))]}
    left = measure_labels(row_names, SMALL_FONT_SIZE) + 0.06
    panel = Panel(SIDE + 3 * LINE + 0.1, below=0.1)
    drawing, panels = make_panels(TITLE, [panel] * len(strips), right=EDGE, left=left)
    styles = style_series(summary.study.variants)
    previous = ""
    for axes, (each, heading, images) in zip(panels, strips, strict=True):
        axes.set_axis_off()
        axes.set_xlim(0, (WIDTH - left - EDGE))
        axes.set_ylim(0, panel.height)
        colors = [INK, *(styles[name].color for name in _pair(each))]
        lines = ["true class", *(_shorten(name) for name in _pair(each))]
        for row, (line, color) in enumerate(zip(lines, colors, strict=True)):
            y = (2.5 - row) * LINE
            write_at(axes, line, 0, y, color, SMALL_FONT_SIZE, (-6, 0), ha="right")
        for column, image in enumerate(images):
            x = column * (WIDTH - left - EDGE) / NUM_COLUMNS
            _draw_image(axes, image, size, x, names, colors)
        if heading != previous:
            write_heading(axes, heading)
        previous = heading
    labels: dict[str, list[str]] = {}
    for each, heading, images in strips:
        labels.setdefault(heading, []).extend(_describe(i, each, names) for i in images)
    caption = (
        "Each image is shown as it is in the test set. Below it stand its true class and the "
        "answer that most seeds give, with their number out of "
        f"{' or '.join(map(str, dict.fromkeys(each.num_seeds for each in found)))}."
    )
    return make_figure(drawing, "disagreements", caption, labels, _list_rows(found, names))


def _draw_image(
    axes: Axes,
    image: ImageRecord,
    size: Sequence[int],
    x: float,
    names: Sequence[str],
    colors: Sequence[str],
) -> None:
    """Draw an image with its upper left corner at `x`, and three lines of text below it."""
    pixels = np.frombuffer(image.content, np.uint8)
    bottom = 3 * LINE + 0.08
    height, width = (SIDE * each / max(size[:2]) for each in size[:2])
    axes.imshow(
        pixels.reshape(size),
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="none",
        extent=(x, x + width, bottom, bottom + height),
        aspect="auto",
    )
    texts = [
        names[image.label],
        *(f"{names[a]} {v}" for a, v in zip(image.answers, image.votes, strict=True)),
    ]
    for row, (text, color) in enumerate(zip(texts, colors, strict=True)):
        y = (2.5 - row) * LINE
        write_at(axes, text, x, y, color, SMALL_FONT_SIZE, xycoords="data")


def _pair(each: DisagreementRecord) -> tuple[str, str]:
    return each.baseline, each.candidate


def _shorten(name: str) -> str:
    return shorten_name(name, LONGEST_NAME)


def _describe(image: ImageRecord, each: DisagreementRecord, names: Sequence[str]) -> str:
    answers = ", ".join(
        f"{variant} says {names[answer]} ({votes} of {each.num_seeds})"
        for variant, answer, votes in zip(_pair(each), image.answers, image.votes, strict=True)
    )
    return f"{names[image.label]}: {answers}"


def _list_rows(found: Sequence[DisagreementRecord], names: Sequence[str]) -> list[Row]:
    return [
        {
            "baseline": each.baseline,
            "candidate": each.candidate,
            "device": each.device,
            "right": right,
            "image": image.number,
            "true_class": names[image.label],
            "baseline_answer": names[image.answers[0]],
            "baseline_votes": image.votes[0],
            "baseline_correct": image.correct[0],
            "candidate_answer": names[image.answers[1]],
            "candidate_votes": image.votes[1],
            "candidate_correct": image.correct[1],
            "num_seeds": each.num_seeds,
        }
        for each in found
        for right, images in ((each.candidate, each.ahead), (each.baseline, each.behind))
        for image in images
    ]
