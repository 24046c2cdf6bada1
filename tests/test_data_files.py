import gzip
import hashlib
from pathlib import Path

import pytest

from bnbench.data_files import CONTENT_SHA256, find_complete_folder, read_checked
from bnbench.errors import DataError

NAME = "t10k-labels-idx1-ubyte"
CONTENT = b"\x00\x00\x08\x01\x00\x00\x00\x03" + bytes([1, 2, 3])
SHA256 = {NAME: hashlib.sha256(CONTENT).hexdigest()}


@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "gzip"])
def test_a_file_with_the_expected_hash_is_read(tmp_path: Path, compressed: bool) -> None:
    if compressed:
        (tmp_path / f"{NAME}.gz").write_bytes(gzip.compress(CONTENT))
    else:
        (tmp_path / NAME).write_bytes(CONTENT)
    assert read_checked(tmp_path, NAME, SHA256) == CONTENT


@pytest.mark.parametrize(
    "content",
    [CONTENT[:-1], CONTENT + b"x", b"", b"W" + CONTENT[1:], b"\x00\x00\x08\xff"],
    ids=["truncated", "longer", "empty", "no IDX", "header cut"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(DataError, match=rf"{NAME}: expected content with SHA-256 .* damaged"):
        read_checked(tmp_path, NAME, SHA256)


@pytest.mark.parametrize(
    ("content", "described"),
    [
        (CONTENT[:-1] + b"\x09", "3 labels"),
        (
            b"\x00\x00\x08\x03"
            + b"".join(n.to_bytes(4, "big") for n in (1500, 2, 3))
            + bytes(9000),
            "1,500 images of 2 x 3",
        ),
    ],
    ids=["labels", "images"],
)
def test_a_file_of_another_data_set_is_called_what_it_is_and_nobody_is_told_to_delete_it(
    tmp_path: Path, content: bytes, described: str
) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_checked(tmp_path, NAME, SHA256)
    text = str(refused.value)
    assert f"got a complete IDX file of {described} that is not FashionMNIST's" in text
    assert hashlib.sha256(content).hexdigest()[:12] in text
    assert "leave out --data-dir" in text
    assert "delete" not in text


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08", b"not gzip"], ids=["empty", "header only", "no gzip"]
)
def test_a_compressed_file_that_cannot_be_unpacked_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"{NAME}\.gz: expected"):
        read_checked(tmp_path, NAME)


def test_a_folder_is_complete_only_with_all_four_files(tmp_path: Path) -> None:
    assert find_complete_folder(tmp_path, CONTENT_SHA256) is None
    for name in CONTENT_SHA256:
        (tmp_path / name).touch()
    assert find_complete_folder(tmp_path, CONTENT_SHA256) == tmp_path
    (tmp_path / NAME).unlink()
    with pytest.raises(DataError, match=f"got no {NAME}"):
        find_complete_folder(tmp_path, CONTENT_SHA256)
