"""Work in a child process, so that the program's exit code is its own.

Ray's threads can end the process they run in at any moment, with an exit code of their own. So a
child process uses Ray. The program only waits for it, passes an interruption on, and ends with its
own code when the child is gone, however that came about. The child leads a process group of its
own, so that a Ray that was interrupted while it started can be ended whole.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from bnbench.cli.exit_codes import is_interruption, run_to_exit_code
from bnbench.errors import RunError

LEAVE_SECONDS = 10.0
"""Seconds an interrupted child has to end before it is killed."""
POLL_SECONDS = 0.02


def run_guarded(body: Callable[[], int]) -> int:
    """Run `body` in a child process and return its exit code.

    Nothing may have started threads in this process, and Ray may not have been imported.

    Raises:
        RunError: the child has ended without an exit code of `body`.
        KeyboardInterrupt: the user interrupted the program; the child is gone.
    """
    lifeline, held = os.pipe()
    answers, answer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(held)
        os.close(answers)
        _run_as_child(body, lifeline, answer)
    os.close(lifeline)
    os.close(answer)
    code = b""
    try:
        code = os.read(answers, 1)
    except BaseException as error:
        if is_interruption(error):
            os.kill(child, signal.SIGINT)
        raise
    finally:
        _end(child)
    if not code:
        raise RunError(
            "executor: expected Ray to run until the end, got that its process ended early; "
            "finished trials are kept: go on with --resume"
        )
    return code[0]


def _run_as_child(body: Callable[[], int], lifeline: int, answer: int) -> NoReturn:
    """Run `body`, tell its exit code, and end without the exit handlers of any library."""
    os.setpgid(0, 0)
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    code = 1
    try:
        code = run_to_exit_code(lambda: sys.exit(body()), say_interrupted=lambda: None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os.write(answer, bytes([code]))
        os._exit(code)


def _die_with_parent(lifeline: int) -> None:
    """Wait until the other end of the pipe is closed, which happens however the parent ends."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def _end(child: int) -> None:
    """Give the child time to end, then kill what is left of its group."""
    deadline = time.monotonic() + LEAVE_SECONDS
    # The child is not reaped before its group is killed: nobody else can get its number.
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, child, ended) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for kill in (os.killpg, os.kill):  # the child may not lead a group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
