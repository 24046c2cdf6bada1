"""Colors, markers and line styles that differ for any eye, in light, dark and gray.

The colors are those of Okabe and Ito, darkened for a white page until each has a contrast of
4.5 : 1 as text; the first two also differ in lightness. Markers and line styles tell series apart
without color. Figures are drawn in the light theme's colors; in SVG each becomes a CSS variable
of the page, with the light color where the page defines none.

Source: Okabe and Ito (2008), "Color Universal Design", https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.specs import VariantSpec

INK = "#1c2128"
MUTED = "#59636e"
GRID = "#d5dbe1"
PAPER = "#ffffff"

Dashes = tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class SeriesStyle:
    """How one variant looks in every figure."""

    color: str
    """Light theme, ``#rrggbb``."""
    marker: str
    dashes: Dashes
    """Offset, and lengths of dashes and gaps in line widths; none for a solid line."""


SERIES = (
    SeriesStyle("#c44e00", "s", (0, (4, 1.2))),
    SeriesStyle("#00558c", "o", (0, ())),
    SeriesStyle("#007d5c", "^", (0, (5, 1, 1, 1))),
    SeriesStyle("#a03c78", "D", (0, (2, 1))),
    SeriesStyle("#7a6200", "v", (0, (7, 1.5))),
    SeriesStyle("#4b5563", "P", (0, (1, 1))),
)

CSS_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    **{style.color: f"series-{number}" for number, style in enumerate(SERIES, start=1)},
}
"""The CSS variable, without its dashes, that stands for each color of the light theme."""


def style_series(variants: Sequence[VariantSpec]) -> dict[str, SeriesStyle]:
    """Give each variant its look, by its place in the study; the seventh looks like the first."""
    return {variant.name: SERIES[index % len(SERIES)] for index, variant in enumerate(variants)}
