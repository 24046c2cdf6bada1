"""The page that leads a series; a placeholder that only names its runs."""

from __future__ import annotations

from pathlib import Path

from bnbench.series import read_series


def write_series_report(folder: Path) -> str:
    """Write the page of a series and return its text for the terminal."""
    series = read_series(folder)
    text = f"{series.name}: {', '.join(series.runs)}"
    for name in ("report.html", "report.md"):
        (folder / name).write_text(text)
    return text
