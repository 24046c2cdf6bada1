"""What a drawn figure is."""

from __future__ import annotations

from dataclasses import dataclass

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Figure:
    """A figure in every form the report needs.

    Accuracy is a fraction in the data and percent in the pictures.
    """

    name: str
    """Name for sections and files: letters and ``_``."""
    title: str
    """What it shows, in one line."""
    caption: str
    """How to read it, and what of the run is not in it."""
    alt: str
    """What there is to see, with its numbers, for those who do not see it."""
    svg: str
    """An ``<svg>`` element to put into a page; its colors follow the page's theme."""
    png: bytes
    """The same on white, with the title, at two pixels a point of the screen."""
    columns: tuple[str, ...]
    """Names of the data's columns."""
    rows: tuple[tuple[Cell, ...], ...]
    """Everything drawn, one row a mark; None where there is no value."""
