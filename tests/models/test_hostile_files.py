"""Mutated files: each is refused with an error of ours, or read as the very content it has."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bnbench import _native
from bnbench.errors import RunError
from bnbench.models.manifest import ModelFile, read_manifest, seal_manifest
from tests.models.conftest import MANIFEST

# The files of one example are overwritten by those of the next.
shared_folder = settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

IMAGES = b"\x00\x00\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (2, 3, 4)) + bytes(range(24))
LABELS = b"\x00\x00\x08\x01\x00\x00\x00\x05" + bytes(range(5))
CONTENT = dataclasses.asdict(MANIFEST)


@st.composite
def mutated(draw: st.DrawFn, *originals: bytes) -> bytes:
    """One of `originals` with up to four pieces replaced, removed or put in."""
    content = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 6)))
        content = content[:start] + draw(st.binary(max_size=6)) + content[end:]
    return content


def parse_idx(raw: bytes) -> np.ndarray | None:
    """What an IDX file of bytes holds, or None of what is none: the format in a few lines."""
    if raw[:4] not in (b"\x00\x00\x08\x01", b"\x00\x00\x08\x03"):
        return None
    rank = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    values = raw[4 + 4 * rank :]
    if len(raw) < 4 + 4 * rank or 0 in shape or len(values) != int(np.prod(shape, dtype=object)):
        return None
    return np.frombuffer(values, np.uint8).reshape(shape)


def check_idx(path: Path, written: bytes, raw: bytes | None) -> None:
    path.write_bytes(written)
    expected = None if raw is None else parse_idx(raw)
    if expected is None:
        with pytest.raises(_native.DataError, match="IDX file"):
            _native.read_idx(path)
    else:
        found = _native.read_idx(path)
        assert found.shape == expected.shape
        assert (found == expected).all()


@given(raw=mutated(IMAGES, LABELS))
@example(raw=IMAGES)
@shared_folder
def test_a_mutated_idx_file_is_refused_or_read_as_it_is(tmp_path: Path, raw: bytes) -> None:
    check_idx(tmp_path / "idx", raw, raw)
    check_idx(tmp_path / "idx", gzip.compress(raw, mtime=0), raw)


@given(packed=mutated(gzip.compress(IMAGES, mtime=0), gzip.compress(LABELS, mtime=0)))
@shared_folder
def test_a_mutated_gzip_file_is_refused_or_read_as_it_is(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "idx.gz"
    path.write_bytes(packed)
    try:
        found = _native.read_idx(path)
    except _native.DataError:
        return
    # A CRC-32 stands over the content; what can be altered unnoticed is the header.
    expected = parse_idx(gzip.decompress(packed))
    assert expected is not None
    assert found.shape == expected.shape
    assert (found == expected).all()


@given(raw=mutated(seal_manifest(CONTENT)))
@shared_folder
def test_a_mutated_manifest_is_refused_or_is_the_same(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(raw)
    try:
        found = read_manifest(path)
    except RunError:
        return
    assert found == MANIFEST


@given(body=mutated(seal_manifest(CONTENT).rpartition(b",\n  ")[0]))
@example(body=b'{"a": ' + b"[" * 100_000)
@example(body=b'{"a": "\xff"')
@example(body=b"")
@shared_folder
def test_a_mutated_manifest_with_a_seal_of_its_own_is_refused_or_read_as_it_is(
    tmp_path: Path, body: bytes
) -> None:
    seal = b',\n  "manifest_sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'
    path = tmp_path / "a.json"
    path.write_bytes(body + seal)
    try:
        found = read_manifest(path)
    except RunError:
        return
    content = json.loads(body + seal)
    assert found.model == ModelFile(**content["model"])
    assert (found.seed, found.data.name) == (content["seed"], content["data"]["name"])
