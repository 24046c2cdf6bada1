"""The error rates in docs are those of the recording beside them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bnbench.gate.certify import write_error_rates
from bnbench.gate.specs import GateSpec

DOCS = Path(__file__).parents[2] / "docs"
RECORDING = DOCS / "gate-recording.jsonl.gz"
MAX_BYTES = 2_000_000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rates")
    write_error_rates(RECORDING, GateSpec(), folder)
    return folder


def list_leaves(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All values of a JSON document, each with its path."""
    if isinstance(content, dict | list):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from list_leaves(value, f"{path}/{key}")
    else:
        yield path, content


def test_the_published_document_is_what_the_published_recording_gives(written: Path) -> None:
    name = "gate-error-rates.md"
    assert (written / name).read_text() == (DOCS / name).read_text()


def test_the_published_figures_are_what_the_published_recording_gives(written: Path) -> None:
    made, published = (
        dict(list_leaves(json.loads((folder / "gate-error-rates.json").read_text())))
        for folder in (written, DOCS)
    )
    assert made.keys() == published.keys()
    for path, value in published.items():
        # Sums of floats differ in the last digit between processors.
        expected = pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
        assert made[path] == expected, path


def test_the_guide_shows_the_published_rates(written: Path) -> None:
    rows = [
        line
        for line in (written / "gate-error-rates.md").read_text().splitlines()
        if line.startswith(("| 0% ", "| 5%, "))
    ]
    assert len(rows) == 4
    guide = (DOCS / "gate.md").read_text()
    for row in rows:
        assert row in guide


def test_the_published_recording_is_small() -> None:
    assert RECORDING.stat().st_size <= MAX_BYTES
