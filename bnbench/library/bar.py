"""A count of what is done, on a terminal, in a notebook, or as lines of text."""

from __future__ import annotations

import contextlib
import html
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bnbench.reporting.wording import format_count

MARGIN = 3
"""Columns left free at the right: a line that filled them would wrap when Ctrl-C prints ``^C``."""
SHORTEST_BAR = 8
REFRESHES_PER_SECOND = 4


class LiveBar:
    """A headline, and below it a bar with what is done, the time elapsed and the time left.

    Args:
        console: where it is shown; nothing is shown away from a terminal.
        unit: the singular of what is counted, such as ``epoch``.
        read_seconds: a monotonic clock.
    """

    def __init__(
        self, console: Console, unit: str, read_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console
        self.headline = ""
        self._unit = unit
        self._read_seconds = read_seconds
        self.restart("starting", 0)

    def restart(self, headline: str, total: int) -> None:
        """Begin to count anew, up to `total`."""
        self.headline, self._total, self._done = headline, total, 0
        self._started = self._read_seconds()

    def advance(self, count: int = 1) -> None:
        """Count what is done."""
        self._done += count

    def print_line(self, line: str) -> None:
        """Print a line that stays, above the bar if there is one."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @property
    def width(self) -> int | None:
        """Columns that a line may fill; None away from a terminal."""
        return self.console.width - MARGIN if self.console.is_terminal else None

    def describe(self) -> str:
        """Say what is done, the time elapsed and, while it is known, the time left."""
        elapsed = self._read_seconds() - self._started
        text = f"{self._done}/{format_count(self._total, self._unit)}"
        text += f", elapsed {format_time(elapsed)}"
        if 0 < self._done < self._total:
            left = elapsed * (self._total - self._done) / self._done
            text += f", remaining about {format_time(left)}"
        return text

    def __rich__(self) -> RenderableType:
        width = self.console.width - MARGIN
        headline = Text(self.headline, no_wrap=True, overflow="ellipsis")
        headline.truncate(width, overflow="ellipsis")
        if not self._total:
            return headline
        text = self.describe()
        line = Table.grid(padding=(0, 1))
        bar_width = min(width - len(text) - 1, 40)
        cells: list[RenderableType] = [Text(text, no_wrap=True, overflow="ellipsis")]
        if bar_width >= SHORTEST_BAR:
            cells.insert(0, ProgressBar(self._total, self._done, width=bar_width))
        line.add_row(*cells)
        return Group(headline, line)


class NotebookBar(LiveBar):
    """The same in the output of a notebook's cell, which needs no widgets.

    Args:
        display: ``IPython.display.display``, or a fake of it.
        unit: the singular of what is counted.
        read_seconds: a monotonic clock.
    """

    def __init__(
        self,
        display: Callable[..., Any],
        unit: str,
        read_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handle: Any = None
        self._display = display
        self._shown_at = 0.0
        super().__init__(Console(quiet=True), unit, read_seconds)

    def restart(self, headline: str, total: int) -> None:
        """Begin to count anew, and show it at once."""
        super().restart(headline, total)
        if total:
            self.show()

    def advance(self, count: int = 1) -> None:
        """Count what is done, and show it now and then."""
        super().advance(count)
        is_due = self._read_seconds() - self._shown_at >= 1 / REFRESHES_PER_SECOND
        if is_due or self._done == self._total:
            self.show()

    def show(self) -> None:
        """Show the bar in the cell's output, in place of what it showed before."""
        self._shown_at = self._read_seconds()
        if self._handle is None:
            self._handle = self._display(self, display_id=True)
        else:
            self._handle.update(self)

    @property
    def width(self) -> None:
        """A line may have any width."""
        return

    def __repr__(self) -> str:
        return f"{self.headline}\n{self.describe()}"

    def _repr_html_(self) -> str:
        return (
            f"<div>{html.escape(self.headline)}<br>"
            f'<progress value="{self._done}" max="{self._total}"></progress> '
            f"{html.escape(self.describe())}</div>"
        )


def format_time(seconds: float) -> str:
    """75 seconds as ``1:15``, and 3,675 as ``1:01:15``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextlib.contextmanager
def show_in_terminal(console: Console, unit: str) -> Iterator[LiveBar]:
    """Show a bar on a terminal; it goes when the work is done, and stays where it was stopped."""
    bar = LiveBar(console, unit)
    if not console.is_terminal:
        yield bar
        return
    live = Live(
        bar, console=console, refresh_per_second=REFRESHES_PER_SECOND, redirect_stdout=False
    )
    with live:
        yield bar
        live.transient = True


@contextlib.contextmanager
def show_in_notebook(display: Callable[..., Any], unit: str) -> Iterator[LiveBar]:
    """Show a bar below a notebook's cell, where it stays."""
    yield NotebookBar(display, unit)


def find_display() -> Callable[..., Any] | None:
    """Find the function that displays an object below a cell; None outside of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if not hasattr(shell, "kernel"):  # a shell in a terminal has none
        return None
    from IPython.display import display

    found: Callable[..., Any] = display
    return found
