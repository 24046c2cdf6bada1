from pathlib import Path

import pytest
import torch

import bnbench
from bnbench.files import hash_files
from bnbench.training.executors.software import describe_mismatch, describe_software


def test_software_is_described_as_it_is() -> None:
    software = describe_software()
    assert software["bnbench"] == bnbench.__version__
    assert software["torch"] == torch.__version__
    assert len(software["bnbench with the sources"]) == 64


def test_the_same_software_passes() -> None:
    assert describe_mismatch("a", describe_software(), describe_software()) is None


@pytest.mark.parametrize(
    "name", ["bnbench", "bnbench with the sources", "torch", "the instruction set"]
)
def test_what_differs_is_named_with_the_node(name: str) -> None:
    mine = describe_software()
    refusal = describe_mismatch("a-1", mine, {**mine, name: "another"})
    assert refusal is not None
    assert refusal.startswith(f"node a-1: expected {name} {mine[name][:16]}, got another")
    assert "install the same packages" in refusal


def test_a_changed_a_moved_and_a_new_file_change_the_hash(tmp_path: Path) -> None:
    files = {"a.py": "1", "b/c.py": "2"}

    def hash_now() -> str:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
        return hash_files([tmp_path / name for name in sorted(files)], tmp_path)

    hashes = {hash_now()}
    for change in ({"a.py": "3"}, {"b/d.py": "2"}):
        files |= change
        hashes.add(hash_now())
    del files["b/c.py"]
    hashes.add(hash_now())
    assert len(hashes) == 4


def test_where_the_package_lies_does_not_change_the_hash(tmp_path: Path) -> None:
    hashes = set()
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "a.py").write_text("1")
        hashes.add(hash_files([folder / "a.py"], folder))
    assert len(hashes) == 1
