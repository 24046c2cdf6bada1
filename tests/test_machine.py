import os

from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes


def test_the_machine_is_described_in_words_and_numbers() -> None:
    assert read_cpu_name()
    assert 1 <= count_cores() <= (os.cpu_count() or 1)
    memory = read_memory_bytes()
    assert memory is None or memory > 2**20
    assert len(describe_system().split()) >= 3
