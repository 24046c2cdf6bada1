"""The lines and the bar of a study at the widths of terminals, with a clock of the test's own."""

import contextlib
import dataclasses
import functools
import io
import re
import sys
import types
from collections.abc import Callable

import pytest
from rich.console import Console

from bnbench.library.bar import LiveBar, NotebookBar, find_display, format_time, show_in_terminal
from bnbench.library.progress import Progress, StudyProgress
from bnbench.recipes import RecipeSpec
from bnbench.records import TrialRecord
from bnbench.specs import Purpose, TrialSpec, VariantSpec
from tests.conftest import fake_record, make_epochs

WIDTHS = (60, 80, 120)
LONG = VariantSpec("batchnorm_with_momentum_0.9_and_layers_128_64", (128, 64), "batch")


def make_console(width: int, terminal: bool = True) -> Console:
    return Console(
        width=width,
        force_terminal=terminal,
        file=io.StringIO(),
        color_system=None,
        legacy_windows=False,
    )


def read_text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).replace("\r", "")


def make_trial(
    variant: VariantSpec = LONG, purpose: Purpose = "score", epochs: int = 5
) -> TrialSpec:
    recipe = RecipeSpec(epochs=epochs, learning_rate=0.004)
    return TrialSpec(variant, recipe, 1029, "cpu", "native", purpose)


def render(bar: LiveBar) -> list[str]:
    bar.console.print(bar)
    return read_text(bar.console).splitlines()


def fake_clock(*readings: float) -> Callable[[], float]:
    left = list(readings)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize("width", WIDTHS)
def test_elapsed_and_remaining_time_are_labeled_on_one_line(width: int) -> None:
    # The bar starts twice, with the program and with the stage; 12 s later it is drawn.
    bar = LiveBar(make_console(width), "epoch", fake_clock(0.0, 100.0, 112.0))
    progress = StudyProgress(bar)
    progress.start_stage("training", 60, 300)
    for epoch in make_epochs([0.1] * 32):
        progress.finish_epoch(make_trial(), epoch)
    headline, counts = render(bar)
    # 268 epochs are left, each takes 12 / 32 s: 100.5 s.
    assert counts.endswith("32/300 epochs, elapsed 0:12, remaining about 1:40")
    assert headline.startswith("training 1/60: ")
    assert "-seed1029-cpu: epoch 32" in headline
    assert max(len(headline), len(counts)) <= width - 3


def test_nothing_is_said_to_remain_before_the_first_epoch_and_after_the_last() -> None:
    bar = LiveBar(make_console(80), "model", fake_clock(0.0, 0.0, 5.0))
    bar.restart("verifying", 1)
    assert render(bar)[1].endswith("0/1 model, elapsed 0:05")
    bar.advance()
    assert render(bar)[-1].endswith("1/1 model, elapsed 0:05")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("purpose", ["tune", "score", "time"])
@pytest.mark.parametrize("failed", [False, True], ids=["finished", "failed"])
def test_a_trials_line_fits_and_keeps_what_tells_it_from_others(
    width: int, purpose: Purpose, failed: bool
) -> None:
    console = make_console(width)
    progress = StudyProgress(LiveBar(console, "epoch"))
    progress.start_stage("training", 130, 650)
    progress.finish_trial(fake_record(make_trial(purpose=purpose), failed))
    (line,) = read_text(console).splitlines()
    assert len(line) <= width - 3
    assert line.startswith("[training 1/130] ")
    assert "-seed1029-cpu: " in line


def finish(record: TrialRecord, console: Console) -> str:
    progress = StudyProgress(LiveBar(console, "epoch"))
    progress.start_stage("timing", 40, 40)
    progress.finish_trial(record)
    return read_text(console).strip()


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_timed_trials_line_names_its_engine(engine: str) -> None:
    trial = make_trial(VariantSpec("baseline"), "time", epochs=1)
    record = fake_record(dataclasses.replace(trial, engine=engine))  # type: ignore[arg-type]
    assert finish(record, make_console(80)) == (
        f"[timing 1/40] baseline-seed1029-cpu: {engine} engine, 1 epoch of 2.00 s"
    )


def test_away_from_a_terminal_a_line_is_never_cut() -> None:
    line = finish(fake_record(make_trial(), failed=True), make_console(60, terminal=False))
    assert line == f"[timing 1/40] {LONG.name}-seed1029-cpu: failed: diverged: a test said so"


def test_an_interrupted_bar_stays_and_a_finished_one_goes() -> None:
    console = make_console(80)

    def interrupt() -> None:
        with Progress(functools.partial(show_in_terminal, console)) as progress:
            progress.start_stage("training", 4, 20)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    last = read_text(console).splitlines()[-2:]
    assert last[0].endswith("training")
    assert "0/20 epochs, elapsed 0:00" in last[1]
    assert isinstance(console.file, io.StringIO)
    erase = "\x1b[2K"
    before = console.file.getvalue().count(erase)
    with Progress(functools.partial(show_in_terminal, console)) as progress:
        progress.start_models(2)
        progress.finish_model("a")
    assert console.file.getvalue().count(erase) > before
    assert console.file.getvalue().endswith(erase)


def test_away_from_a_terminal_there_is_no_bar() -> None:
    console = make_console(80, terminal=False)
    with Progress(functools.partial(show_in_terminal, console)) as progress:
        progress.start_models(2)
        progress.finish_model("a")
    assert not read_text(console)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (75, "1:15"), (3599.6, "1:00:00"), (36_675, "10:11:15")]
)
def test_times_are_in_minutes_and_seconds(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


class FakeDisplay:
    """Stands for ``IPython.display.display`` and the handle that it returns."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, shown: NotebookBar, display_id: bool) -> "FakeDisplay":
        assert display_id
        assert not self.shown
        self.update(shown)
        return self

    def update(self, shown: NotebookBar) -> None:
        self.shown.append(shown._repr_html_())


def test_in_a_notebook_one_bar_is_updated_a_few_times_a_second() -> None:
    display, now = FakeDisplay(), 0.0
    bar = NotebookBar(display, "epoch", lambda: now)
    progress = Progress(lambda _unit: contextlib.nullcontext(bar))
    progress.start_stage("training <1>", 2, 10)
    for epoch in make_epochs([0.1] * 9):
        now += 0.1
        progress.finish_epoch(make_trial(VariantSpec("plain")), epoch)
    progress.finish_trial(fake_record(make_trial(VariantSpec("plain"))))
    # At the start, then at 0.3, 0.6 and 0.9 s: a quarter of a second apart or more.
    assert len(display.shown) == 4
    assert "training &lt;1&gt;" in display.shown[0]
    assert '<progress value="9" max="10">' in display.shown[-1]
    assert "9/10 epochs, elapsed 0:01, remaining about 0:00" in display.shown[-1]
    now += 0.01
    progress.finish_epoch(make_trial(VariantSpec("plain")), make_epochs([0.25])[0])
    assert 'value="10" max="10"' in display.shown[-1]


@pytest.mark.parametrize("has_kernel", [True, False], ids=["notebook", "terminal"])
def test_a_notebook_is_known_by_its_kernel(
    monkeypatch: pytest.MonkeyPatch, has_kernel: bool
) -> None:
    shell = types.SimpleNamespace(**({"kernel": object()} if has_kernel else {}))
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    display = FakeDisplay()
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # type: ignore[arg-type]
    module = types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", module)  # type: ignore[arg-type]
    assert find_display() is (display if has_kernel else None)


def test_without_ipython_there_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert find_display() is None
