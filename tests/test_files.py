import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bnbench.files import BLOCK_BYTES, AppendLog, replace_file


@pytest.fixture
def log(tmp_path: Path) -> AppendLog:
    return AppendLog(tmp_path / "log.jsonl")


def read_values(log: AppendLog) -> list[tuple[int, object]]:
    return [(number, json.loads(line)) for number, line in log.read()]


def test_a_replaced_file_has_the_new_content_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_lines_come_back_in_order_with_their_numbers(log: AppendLog) -> None:
    with log:
        log.append({"a": 1})
        log.append([2, "two\nlines"])
    with log:
        log.append(None)
    assert read_values(log) == [(1, {"a": 1}), (2, [2, "two\nlines"]), (3, None)]


@pytest.mark.parametrize(
    "torn",
    [b'{"a": 2', b"{}", b"x" * (3 * BLOCK_BYTES + 1), b"x" * (BLOCK_BYTES - 1)],
    ids=["start of a line", "only its newline missing", "longer than a block", "block long"],
)
@pytest.mark.parametrize("complete", [b"", b"1\n", b"1\n2\n"], ids=["none", "one", "two"])
def test_a_torn_last_line_is_skipped_by_readers_and_cut_by_the_next_writer(
    log: AppendLog, complete: bytes, torn: bytes
) -> None:
    log.path.write_bytes(complete + torn)
    assert b"".join(line for _, line in log.read()) == complete
    with log:
        log.append("next")
    assert log.path.read_bytes() == complete + b'"next"\n'


def test_a_second_writer_is_refused_until_the_first_is_done(log: AppendLog) -> None:
    second = AppendLog(log.path)
    with log, pytest.raises(BlockingIOError):
        second.__enter__()
    with second:
        second.append(2)
    assert read_values(log) == [(1, 2)]


def test_a_waiting_writer_appends_after_the_first(log: AppendLog) -> None:
    script = (
        "import sys; from pathlib import Path; from bnbench.files import AppendLog\n"
        "print('started', flush=True)\n"
        "with AppendLog(Path(sys.argv[1]), wait=True) as log: log.append('second')"
    )
    with log:
        command = [sys.executable, "-c", script, str(log.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            log.append("first")
            log.__exit__(None, None, None)
            assert child.wait(timeout=30) == 0
    assert read_values(log) == [(1, "first"), (2, "second")]


def test_a_kill_in_the_middle_loses_at_most_the_line_being_written(log: AppendLog) -> None:
    script = (
        "import sys; from pathlib import Path; from bnbench.files import AppendLog\n"
        "with AppendLog(Path(sys.argv[1])) as log:\n"
        "    for number in range(10**9):\n"
        "        log.append([number, 'x' * 10**6])\n"
        "        print(number, flush=True)"
    )
    command = [sys.executable, "-c", script, str(log.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(3)]
        child.kill()
        acknowledged += [int(line) for line in child.stdout]
    with log:
        log.append("after the kill")
    *numbers, last = [
        value if isinstance(value, str) else value[0] for _, value in read_values(log)
    ]
    assert last == "after the kill"
    assert numbers == list(range(len(numbers)))
    assert len(numbers) - len(acknowledged) in (0, 1)


def test_appending_without_the_lock_is_a_mistake_of_the_program(log: AppendLog) -> None:
    with pytest.raises(RuntimeError, match="expected a locked log"):
        log.append(1)


def test_what_json_cannot_hold_leaves_no_line(log: AppendLog) -> None:
    with log, pytest.raises(ValueError, match="not JSON compliant"):
        log.append(float("nan"))
    assert log.path.read_bytes() == b""


@pytest.fixture
def small_files() -> Iterator[int]:
    """Let no file of this process grow beyond some bytes, as if the disk were full there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # Python ignores SIGXFSZ
    try:
        yield 1000
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_does_not_fit_leaves_the_old_one_and_no_draft(
    tmp_path: Path, small_files: int
) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    with pytest.raises(OSError, match="File too large") as raised:
        replace_file(path, b"x" * (small_files + 1))
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_does_not_fit_leaves_no_part_of_it(log: AppendLog, small_files: int) -> None:
    with log:
        log.append("before")
        with pytest.raises(OSError, match="File too large") as raised:
            log.append("x" * small_files)
        assert raised.value.filename == str(log.path)
        log.append("after")
    assert log.path.read_bytes() == b'"before"\n"after"\n'
