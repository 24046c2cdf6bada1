import base64
import json
from pathlib import Path

import pytest

from bnbench.errors import RunError
from bnbench.inspection import read_inspection, write_inspection
from tests.inspections import INSPECTION


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_inspection(tmp_path, INSPECTION)
    assert read_inspection(tmp_path) == INSPECTION
    assert [path.name for path in tmp_path.iterdir()] == ["inspection.json"]


def test_a_run_without_the_file_was_not_inspected(tmp_path: Path) -> None:
    assert read_inspection(tmp_path) is None


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("format_version", 2, "format 2"),
        ("num_test_images", "many", "num_test_images: expected a whole number, got 'many'"),
        ("values", [{}], "values\\[0\\].variant: expected a value"),
    ],
    ids=["newer", "mistyped", "incomplete"],
)
def test_another_version_or_a_damaged_file_is_refused_with_the_way_out(
    tmp_path: Path, key: str, value: object, found: str
) -> None:
    change(tmp_path, key, value)
    with pytest.raises(
        RunError, match=f"expected inspection format 1, got {found}.*'bnbench verify"
    ):
        read_inspection(tmp_path)


@pytest.mark.parametrize(
    ("pixels", "found"),
    [("no base64!", "pixels"), (base64.b64encode(bytes(783)).decode(), "expected 784 bytes")],
    ids=["no base64", "a pixel too few"],
)
def test_an_image_must_have_all_its_pixels(tmp_path: Path, pixels: str, found: str) -> None:
    write_inspection(tmp_path, INSPECTION)
    content = json.loads((tmp_path / "inspection.json").read_text())
    content["disagreements"][0]["ahead"][0]["pixels"] = pixels
    (tmp_path / "inspection.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=found):
        read_inspection(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b"\xff"], ids=["empty", "list", "torn", "bytes"]
)
def test_any_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "inspection.json").write_bytes(content)
    with pytest.raises(RunError, match="expected inspection format 1"):
        read_inspection(tmp_path)


def change(folder: Path, key: str, value: object) -> None:
    write_inspection(folder, INSPECTION)
    content = json.loads((folder / "inspection.json").read_text())
    (folder / "inspection.json").write_text(json.dumps({**content, key: value}))
