import json
from pathlib import Path

import pytest

from bnbench.errors import RunError
from bnbench.models.manifest import read_manifest, seal_manifest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    path.write_bytes(seal_manifest({"seed": 3, "expected": {"logits": [0.1, -2.5e-8]}}))
    return path


def test_a_sealed_manifest_is_json_and_comes_back(path: Path) -> None:
    content = read_manifest(path)
    assert content == json.loads(path.read_text())
    assert (content["format_version"], content["seed"]) == (1, 3)


def test_a_flipped_bit_in_any_byte_is_found(path: Path) -> None:
    raw = path.read_bytes()
    for position in range(len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 1 << position % 8
        path.write_bytes(altered)
        with pytest.raises(RunError, match="altered"):
            read_manifest(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"x" * 1000])
def test_what_is_no_manifest_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RunError, match="expected a bnbench manifest"):
        read_manifest(path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gone\.json: expected a manifest, got none"):
        read_manifest(tmp_path / "gone.json")


def test_a_newer_format_is_told_from_damage(path: Path) -> None:
    path.write_bytes(seal_manifest({"format_version": 7}))
    with pytest.raises(RunError, match="got 7, which is newer"):
        read_manifest(path)
