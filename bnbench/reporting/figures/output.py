"""A drawing as SVG that follows the page's theme, and as PNG on white."""

from __future__ import annotations

import contextlib
import html
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.style
from matplotlib.figure import Figure as Drawing
from matplotlib.transforms import Bbox

from bnbench.reporting.figures.canvas import FONT_FAMILY, TITLE_HEIGHT
from bnbench.reporting.figures.palette import CSS_VARIABLES, PAPER

Row = dict[str, str | int | float | bool | None]

PNG_DOTS_PER_INCH = 192
"""Twice the 96 of CSS."""

SETTINGS = {
    "font.family": [FONT_FAMILY],
    "svg.fonttype": "none",
    "svg.hashsalt": "bnbench",
    "path.simplify": False,
    # Names are names, whatever characters they have.
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Figure:
    """A figure in every form the report needs: accuracy in percent, but a fraction in the data."""

    caption: str
    """How to read it, and which trials of the run are not in it."""
    alt: str
    """Its title and labels, for readers who do not see it; the section's table says more."""
    svg: str
    """An ``<svg>`` element to put into a page; its colors follow the page's theme."""
    png: bytes
    """The same on white, with the title, at two pixels a point of the screen."""
    rows: tuple[Row, ...]
    """Everything drawn, one row per mark: each column's value; left out or None if it has none."""


@contextlib.contextmanager
def use_settings() -> Iterator[None]:
    """Draw with matplotlib's defaults and ours, whatever settings the user has."""
    with matplotlib.style.context(["default", SETTINGS]), warnings.catch_warnings():
        # A variant may be named in a script that the font lacks; a browser has others.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def make_figure(
    drawing: Drawing,
    name: str,
    caption: str,
    labels: Mapping[str, Sequence[str]],
    rows: Sequence[Row],
) -> Figure:
    """Write a finished drawing in all forms; to be called under `use_settings`.

    Args:
        drawing: from `make_panels`, with its panels drawn.
        name: letters and ``_``; begins each id in the SVG, so that figures can share a page.
        caption: how to read it.
        labels: by panel, what its lines or rows are called, with their numbers.
        rows: the data, one per mark.
    """
    png = io.BytesIO()
    metadata = {"Software": None}
    drawing.savefig(png, format="png", dpi=PNG_DOTS_PER_INCH, facecolor=PAPER, metadata=metadata)
    panels = {place: "; ".join(of_panel).replace("\n", " ") for place, of_panel in labels.items()}
    texts = [f"{place}: {text}" if len(panels) > 1 else text for place, text in panels.items()]
    alt = f"{drawing.texts[0].get_text()}: {'. '.join(texts)}."
    svg = _write_svg(drawing, name, alt)
    return Figure(caption, alt, svg, png.getvalue(), tuple(rows))


def _write_svg(drawing: Drawing, name: str, alt: str) -> str:
    """Write what lies below the title as one ``<svg>`` element; the title is gone afterwards."""
    drawing.patch.set_visible(False)
    drawing.texts[0].set_visible(False)
    width, height = drawing.get_size_inches()
    box = Bbox([[0, 0], [width, height - TITLE_HEIGHT]])
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    file = io.StringIO()
    drawing.savefig(file, format="svg", bbox_inches=box, metadata=nothing)
    return _adapt_svg(file.getvalue(), name, alt)


def _adapt_svg(text: str, name: str, alt: str) -> str:
    """Make matplotlib's SVG file an element that shares a page with others."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    view_box = re.search(r'viewBox="([^"]*)"', text)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" role="img" '
        f'preserveAspectRatio="xMinYMin" viewBox="{view_box[1] if view_box else ""}" '
        f'aria-label="{html.escape(alt)}" stroke-linejoin="round" stroke-linecap="butt">'
    )
    text = opening + text[text.index(">") + 1 :].rstrip() + "\n"
    # Its style sheet, moved to the element above, would hold for the whole page.
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"\n\s+", "\n", text)
    text = text.replace("xlink:href=", "href=")
    font = rf"font\1: \2var(--font, {FONT_FAMILY}, sans-serif)"
    text = re.sub(r"font(-family)?: ?([^;\"]*)'DejaVu Sans'[^;\"]*", font, text)
    for color, variable in CSS_VARIABLES.items():
        text = re.sub(rf"{color}\b", f"var(--{variable}, {color})", text, flags=re.IGNORECASE)
    # Ids begin with the figure's name; those that nothing refers to are dropped.
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    return re.sub(
        r' (?:d|x|y|width|height|transform|viewBox)="[^"]*"',
        lambda attribute: re.sub(r"-?\d+\.\d+", _round_number, attribute[0]),
        text,
    )


def _round_number(match: re.Match[str]) -> str:
    """Two decimals of a point: a fortieth of what an eye tells apart."""
    rounded = f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if rounded == "-0" else rounded
