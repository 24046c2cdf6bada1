"""How the program ends: its exit code, and one line for an expected error.

Ctrl-C and SIGTERM are handled alike: the first raises KeyboardInterrupt, so that all that is open
is closed. Later ones are ignored until `GRACE_SECONDS` have passed; then one ends the program.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import click

from bnbench.errors import BnbenchError

GRACE_SECONDS = 5.0
"""Seconds for what was interrupted to close what it has open."""
AGAIN_SECONDS = 0.05
"""Seconds until an interruption that was swallowed is repeated."""
DISK_ERRORS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO")
}
"""Numbers of the errors of a disk that is full, protected or broken."""

_received: list[tuple[int, float]] = []
"""Number and time of each signal that has arrived."""


def handle_signals() -> None:
    """Let Ctrl-C (unless a shell has it ignored) and SIGTERM interrupt the program."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: object) -> None:
    now = time.monotonic()
    _received.append((number, now))
    if len(_received) == 1:
        sys.unraisablehook = _interrupt_again
        raise KeyboardInterrupt
    if now - _received[0][1] > GRACE_SECONDS:
        os._exit(find_interruption_code())


def _interrupt_again(swallowed: sys.UnraisableHookArgs) -> None:
    """Interrupt once more where Python cannot raise, for instance in the callback of a lock."""
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)
        return
    number = _received[0][0]
    _received.clear()
    main = threading.main_thread().ident or 0
    again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, (main, number))
    again.daemon = True
    again.start()


def is_interruption(error: BaseException) -> bool:
    """Whether an error is due to a signal: libraries make other errors of a KeyboardInterrupt."""
    of_click = isinstance(error, (KeyboardInterrupt, click.exceptions.Abort))
    return of_click or (bool(_received) and isinstance(error, Exception))


def find_interruption_code() -> int:
    """Find the exit code of a program that was interrupted: 130 or 143."""
    return 128 + (_received[0][0] if _received else signal.SIGINT)


def run_to_exit_code(
    body: Callable[[], object],
    say_interrupted: Callable[[], None] = lambda: click.echo("bnbench: interrupted", err=True),
) -> int:
    """Run the body of the program, print an expected error, and return the exit code."""
    try:
        body()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:
        if is_interruption(error):
            say_interrupted()
            return find_interruption_code()
        if isinstance(error, click.ClickException):
            error.show()
            return error.exit_code
        if isinstance(error, BnbenchError):
            click.echo(f"bnbench: error: {error}", err=True)
            return error.exit_code
        if isinstance(error, BrokenPipeError):  # the reader of our output (head, less) has gone
            _discard_output()
            return find_interruption_code()
        text = describe_disk_error(error)
        if text is None:
            raise
        click.echo(f"bnbench: error: {text}", err=True)
        _discard_output()  # it may be the output that does not fit
        return BnbenchError.exit_code
    return 0


def describe_disk_error(
    error: BaseException, advice: str = "make space and try again"
) -> str | None:
    """Say in one line what could not be written; None if the error is of another kind."""
    if not isinstance(error, OSError):
        return None
    # Where no folder takes temporary files, tempfile says that there is none.
    if error.errno not in DISK_ERRORS and "temporary directory" not in str(error):
        return None
    return (
        f"{error.filename or 'disk'}: expected a place that can be written, got: "
        f"{error.strerror or error}; {advice}"
    )


def _discard_output() -> None:
    """Send what is left to print nowhere, so that the end of the program prints no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
