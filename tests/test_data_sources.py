import dataclasses
import gzip
import hashlib
from pathlib import Path

import pytest

from bnbench.data_files import CONTENT_SHA256
from bnbench.data_sources import Sources, fetch_fashion_mnist, locate_fashion_mnist
from bnbench.errors import DataError

CONTENTS = {name: f"what {name} holds".encode() * 50 for name in CONTENT_SHA256}


def refuse(scratch: Path) -> Path:
    raise OSError(101, "no network in tests")


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """No source has anything; the cache is ``tmp_path/cache/bnbench``."""
    return Sources(
        debian=tmp_path / "debian",
        downloads={"first": refuse, "second": refuse},
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()},
        environment={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )


def write_files(folder: Path, compressed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def unpack(scratch: Path) -> Path:
    return write_files(scratch / "unpacked", compressed=True)


@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "gzip"])
@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw"])
def test_a_data_folder_may_be_flat_or_torchvisions_raw_or_compressed(
    tmp_path: Path, sources: Sources, compressed: bool, layout: str
) -> None:
    folder = write_files(tmp_path / "mine" / layout, compressed)
    found, source = locate_fashion_mnist(tmp_path / "mine", sources=sources)
    assert found == folder
    assert "data folder" in source


def name_by_variable(sources: Sources, folder: Path) -> Sources:
    return dataclasses.replace(sources, environment={"BNBENCH_DATA": str(folder)})


def test_the_environment_variable_names_the_folder_unless_the_option_does(
    tmp_path: Path, sources: Sources
) -> None:
    sources = name_by_variable(sources, write_files(tmp_path / "mine"))
    assert locate_fashion_mnist(sources=sources)[0] == tmp_path / "mine"
    other = write_files(tmp_path / "other")
    assert locate_fashion_mnist(other, sources=sources)[0] == other


@pytest.mark.parametrize("named_by", ["--data-dir", "BNBENCH_DATA"])
@pytest.mark.parametrize("place", ["missing", "empty", "file"])
def test_a_named_folder_without_the_data_is_refused_and_nothing_is_made_or_downloaded(
    tmp_path: Path, sources: Sources, named_by: str, place: str
) -> None:
    write_files(tmp_path / "debian")  # another source must not take its place
    sources = dataclasses.replace(sources, downloads={"works": unpack})
    named = tmp_path / place
    if place == "empty":
        named.mkdir()
    elif place == "file":
        named.touch()
    before = sorted(tmp_path.rglob("*"))
    by_option = named_by == "--data-dir"
    sources = sources if by_option else name_by_variable(sources, named)
    with pytest.raises(DataError) as refused:
        locate_fashion_mnist(named if by_option else None, sources=sources)
    assert sorted(tmp_path.rglob("*")) == before
    text = str(refused.value)
    assert text.startswith(f"{named}: expected ")
    if place != "file":
        assert f"correct or leave out {named_by}" in text
        assert f"bnbench data --data-dir {named}" in text


def test_a_missing_file_is_named_and_nothing_else_takes_its_place(
    tmp_path: Path, sources: Sources
) -> None:
    write_files(tmp_path / "debian")
    folder = write_files(tmp_path / "mine")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="got no t10k-labels-idx1-ubyte"):
        locate_fashion_mnist(folder, sources=sources)


def test_debians_package_comes_before_an_earlier_download_and_that_before_a_new_one(
    tmp_path: Path, sources: Sources
) -> None:
    sources = dataclasses.replace(sources, downloads={"works": unpack})
    cached = tmp_path / "cache" / "bnbench" / "FashionMNIST" / "raw"
    assert locate_fashion_mnist(sources=sources) == (cached, "works")
    assert {path.name: path.read_bytes() for path in cached.iterdir()} == CONTENTS
    sources = dataclasses.replace(sources, downloads={})
    assert locate_fashion_mnist(sources=sources)[0] == cached
    write_files(tmp_path / "debian", compressed=True)
    assert locate_fashion_mnist(sources=sources)[0] == tmp_path / "debian"


def test_without_any_source_the_error_says_what_was_tried_and_leaves_no_folder(
    tmp_path: Path, sources: Sources
) -> None:
    with pytest.raises(DataError, match=r"first: .*no network.*second: "):
        locate_fashion_mnist(sources=sources)
    with pytest.raises(DataError, match="run 'bnbench data' to fetch it"):
        locate_fashion_mnist(download=False, sources=sources)
    assert not list(tmp_path.iterdir())


def test_a_damaged_download_leaves_nothing_behind(tmp_path: Path, sources: Sources) -> None:
    def fetch_truncated(scratch: Path) -> Path:
        folder = write_files(scratch / "unpacked")
        (folder / "t10k-images-idx3-ubyte").write_bytes(b"short")
        return folder

    sources = dataclasses.replace(sources, downloads={"truncated": fetch_truncated})
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: expected content"):
        locate_fashion_mnist(sources=sources)
    assert not list(tmp_path.iterdir())


def test_a_folder_to_download_to_is_made_if_its_parent_exists(
    tmp_path: Path, sources: Sources
) -> None:
    sources = dataclasses.replace(sources, downloads={"works": unpack})
    with pytest.raises(DataError, match=r"expected a new folder in one that exists, got no folder"):
        fetch_fashion_mnist(tmp_path / "mistyped" / "mine", sources)
    assert not list(tmp_path.iterdir())
    folder, source = fetch_fashion_mnist(tmp_path / "mine", sources)
    assert (folder, source) == (tmp_path / "mine" / "FashionMNIST" / "raw", "works")
    assert locate_fashion_mnist(tmp_path / "mine", sources=sources)[0] == folder
    assert fetch_fashion_mnist(tmp_path / "mine", sources)[0] == folder


def test_a_folder_to_download_to_gets_a_copy_of_debians_files(
    tmp_path: Path, sources: Sources
) -> None:
    write_files(tmp_path / "debian", compressed=True)
    folder, source = fetch_fashion_mnist(tmp_path / "mine", sources)
    assert source == "Debian's package dataset-fashion-mnist, copied"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}], ids=["unset", "empty"])
def test_without_a_home_folder_the_data_are_found_but_not_downloaded(
    tmp_path: Path, sources: Sources, environment: dict[str, str]
) -> None:
    sources = dataclasses.replace(sources, environment=environment, downloads={"works": unpack})
    with pytest.raises(DataError, match="HOME: expected a home folder .* --data-dir DIR"):
        locate_fashion_mnist(sources=sources)
    write_files(tmp_path / "debian")
    assert locate_fashion_mnist(sources=sources)[0] == tmp_path / "debian"


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, sources: Sources) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(DataError, match=r"bnbench: expected a folder that can be written"):
        locate_fashion_mnist(sources=sources)
