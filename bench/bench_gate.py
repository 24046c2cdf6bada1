"""Five cheap benchmarks to record the gate's own error rates with: 0.1 to 5 ms, quick to start.

They need the standard library and NumPy only, so a process pair costs a second or two, and a
recording holds many decisions. They stress different parts of a machine: arithmetic, the
allocator, caches, branches. They say nothing about this project's own speed.
"""

import hashlib
import json
import re
import zlib
from collections import Counter

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

NUM_RECORDS = 150
PATTERN = re.compile(r"(\w+)=(-?\d+(?:\.\d+)?)")


def make_records() -> list[dict[str, object]]:
    """Make small records, always the same."""
    generator = np.random.default_rng(3)
    return [
        {"name": f"record-{number}", "values": generator.random(8).tolist(), "tags": ["a", "b"]}
        for number in range(NUM_RECORDS)
    ]


def multiply(left: np.ndarray, right: np.ndarray) -> float:
    """Multiply two matrices that fit the cache of one core, in one thread."""
    return float(np.einsum("ij,jk->ik", left, right)[0, 0])


def sort_words(words: list[str]) -> list[str]:
    return sorted(words, key=str.lower)


def parse_settings(text: str) -> Counter[str]:
    """Count the names of all settings with a positive value."""
    return Counter(name for name, value in PATTERN.findall(text) if float(value) > 0.0)


def test_hash_bytes(benchmark: BenchmarkFixture) -> None:
    content = bytes(range(256)) * 1000
    digest = benchmark(lambda: hashlib.sha256(content).hexdigest() + str(zlib.crc32(content)))
    assert len(digest) > 64


def test_sort_words(benchmark: BenchmarkFixture) -> None:
    numbers = np.random.default_rng(1).permutation(4000)
    words = [f"{'aA'[number % 2]}-{number}" for number in numbers.tolist()]
    assert benchmark(sort_words, words)[0].lower() == "a-0"


def test_write_and_read_json(benchmark: BenchmarkFixture) -> None:
    records = make_records()
    assert benchmark(lambda: json.loads(json.dumps(records))) == records


def test_multiply_matrices(benchmark: BenchmarkFixture) -> None:
    generator = np.random.default_rng(2)
    left, right = generator.random((2, 96, 96))
    assert benchmark(multiply, left, right) > 0.0


def test_parse_settings(benchmark: BenchmarkFixture) -> None:
    text = " ".join(f"key{number % 50}={number - 500}.5" for number in range(1000))
    assert len(benchmark(parse_settings, text)) == 50
