"""Whatever the child does, the program ends with its own exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import is_alive

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from bnbench.cli import guard
from bnbench.cli.exit_codes import handle_signals, run_to_exit_code

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
guard.LEAVE_SECONDS = 0.5
ready = Path(sys.argv[1])

def body():
    def wait():
        ready.with_suffix(".draft").write_text(str(os.getpid()))
        ready.with_suffix(".draft").rename(ready)
        time.sleep(60)
{body}

handle_signals()
code = run_to_exit_code(lambda: sys.exit(guard.run_guarded(body)))
print("left", flush=True)
os._exit(code)
"""
WAIT = "    wait()"
END_LIKE_RAY = """
    try:
        wait()
    finally:
        print("Ray's noise", flush=True)
        os._exit(1)
"""
HANG = """
    try:
        wait()
    except KeyboardInterrupt:
        time.sleep(60)
"""
RAISE_ANOTHER = """
    try:
        wait()
    except KeyboardInterrupt:
        raise SystemError("a library's own") from None
"""
SWALLOW = """
    class Swallowing:
        def __del__(self):
            wait()
    swallowing = Swallowing()
    del swallowing
    wait()
"""


def start(body: str, ready: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{body}", body), str(ready)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_child(process: subprocess.Popen[str], ready: Path) -> int:
    while process.poll() is None and not ready.exists():
        time.sleep(0.01)
    return int(ready.read_text())


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("    return 5", 5, ""),
        ("    sys.exit(3)", 3, ""),
        ("    os._exit(1)", 2, "expected Ray to run until the end"),
        ("    raise ValueError('a bug')", 1, "ValueError: a bug"),
    ],
    ids=["returns", "exits", "ended by a library", "bug"],
)
def test_the_childs_exit_code_counts_if_it_has_told_one(
    tmp_path: Path, body: str, code: int, words: str
) -> None:
    process = start(body, tmp_path / "ready")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (code, "left\n")
    assert words in errors


@pytest.mark.parametrize(
    "body",
    [WAIT, END_LIKE_RAY, HANG, RAISE_ANOTHER, SWALLOW],
    ids=["ends", "dies", "hangs", "raises", "swallows"],
)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_an_interruption_ends_the_child_and_has_its_own_exit_code(
    tmp_path: Path, body: str, number: signal.Signals, code: int
) -> None:
    process = start(body, tmp_path / "ready")
    child = wait_for_child(process, tmp_path / "ready")
    process.send_signal(number)
    process.send_signal(number)  # pressed twice
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert errors == "bnbench: interrupted\n"
    assert output.splitlines()[-1] == "left"
    assert not is_alive(child)


def test_what_a_child_has_started_ends_with_it(tmp_path: Path) -> None:
    body = """
    import subprocess
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ready.write_text(str(other.pid))
    os._exit(1)
"""
    process = start(body, tmp_path / "ready")
    process.communicate(timeout=60)
    other = int((tmp_path / "ready").read_text())
    deadline = time.monotonic() + 30
    while is_alive(other) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(other)


def test_a_child_whose_parent_is_killed_ends(tmp_path: Path) -> None:
    process = start(WAIT, tmp_path / "ready")
    child = wait_for_child(process, tmp_path / "ready")
    assert child != process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)
