import errno
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bnbench.cli import exit_codes
from bnbench.cli.exit_codes import run_to_exit_code
from bnbench.errors import DisagreementError, RunError

FULL = OSError(errno.ENOSPC, "No space left on device", "run/report.html")


def fail(error: BaseException) -> None:
    raise error


@pytest.fixture(autouse=True)
def kept_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the file of this process's output."""
    monkeypatch.setattr(exit_codes, "_discard_output", lambda: None)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (RunError("r: expected a, got b"), 2, "bnbench: error: r: expected a, got b\n"),
        (DisagreementError("expected a, got b"), 5, "bnbench: error: expected a, got b\n"),
        (KeyboardInterrupt(), 130, "bnbench: interrupted\n"),
        (click.exceptions.Abort(), 130, "bnbench: interrupted\n"),
        (BrokenPipeError(), 130, ""),
        (SystemExit(4), 4, ""),
        (SystemExit(), 0, ""),
        (
            FULL,
            2,
            "bnbench: error: run/report.html: expected a place that can be written, got: No space "
            "left on device; make space and try again\n",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            2,
            "bnbench: error: disk: expected a place that can be written, got: No usable temporary "
            "directory found in ['/tmp']; make space and try again\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_end_has_its_code_and_at_most_one_line(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, text: str
) -> None:
    assert run_to_exit_code(lambda: fail(error)) == code
    assert capsys.readouterr().err == text


@pytest.mark.parametrize("error", [ValueError("a bug"), FileNotFoundError("gone")])
def test_a_mistake_of_the_program_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        run_to_exit_code(lambda: fail(error))


def test_what_a_library_makes_of_an_interruption_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exit_codes, "_received", [(signal.SIGTERM, 0.0)])
    assert run_to_exit_code(lambda: fail(ImportError("half a module"))) == 143
    assert capsys.readouterr().err == "bnbench: interrupted\n"


def test_only_the_first_signal_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(exit_codes, "_received", [])
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(exit_codes.os, "_exit", ended.append)
    times = iter([0.0, 1.0, 4.9, 5.1])
    monkeypatch.setattr(exit_codes.time, "monotonic", lambda: next(times))
    with pytest.raises(KeyboardInterrupt):
        exit_codes._interrupt(signal.SIGINT, None)
    for _ in range(2):
        exit_codes._interrupt(signal.SIGINT, None)
    assert not ended
    exit_codes._interrupt(signal.SIGTERM, None)  # too long has passed
    assert ended == [130]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_output_that_does_not_fit_ends_with_exit_code_2() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "bnbench", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("bnbench: error: disk: expected a place that can be written")
    assert len(ended.stderr.splitlines()) == 1
