import os

import pytest

from bnbench.machine import (
    count_cores,
    describe_system,
    read_cpu_name,
    read_load,
    read_memory_bytes,
)


def test_the_load_is_a_number_where_the_system_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (2.5, 1.0, 0.5), raising=False)
    assert read_load() == 2.5
    monkeypatch.delattr(os, "getloadavg")
    assert read_load() is None


def test_the_machine_is_described_in_words_and_numbers() -> None:
    assert read_cpu_name()
    assert 1 <= count_cores() <= (os.cpu_count() or 1)
    memory = read_memory_bytes()
    assert memory is None or memory > 2**20
    assert len(describe_system().split()) >= 3
