import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.errors import RunError
from bnbench.models.manifest import make_manifest, read_manifest, seal_manifest
from tests.models.conftest import MANIFEST

ROOT = Path(__file__).parents[2]

CONTENT = dataclasses.asdict(MANIFEST)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    path.write_bytes(seal_manifest(CONTENT))
    return path


def test_a_sealed_manifest_comes_back(path: Path) -> None:
    assert read_manifest(path) == MANIFEST


def test_a_manifest_of_an_older_bnbench_has_no_network(path: Path) -> None:
    older = {key: value for key, value in CONTENT.items() if key != "network"}
    path.write_bytes(seal_manifest(older))
    assert read_manifest(path) == dataclasses.replace(MANIFEST, network=None)


def test_the_first_format_is_read_as_the_second(path: Path) -> None:
    old = {key: value for key, value in CONTENT.items() if key not in ("input", "output")}
    old["format_version"] = 1
    old["model"] = {key: value for key, value in old["model"].items() if key != "format"}
    old["data"] = {
        "name": "synthetic",
        "test_images_sha256": "1" * 64,
        "test_labels_sha256": "2" * 64,
    }
    old["expected"] = {**old["expected"], "predictions": "0"}
    path.write_bytes(seal_manifest(old))
    expected = dataclasses.replace(MANIFEST.expected, predictions_sha256=hash_of_zero())
    assert read_manifest(path) == dataclasses.replace(MANIFEST, expected=expected)
    path.write_bytes(
        seal_manifest({**old, "expected": {**old["expected"], "predictions": "0\u0663"}})
    )
    with pytest.raises(RunError, match=r"expected\.predictions: expected digits, got other"):
        read_manifest(path)


def hash_of_zero() -> str:
    """The SHA-256 of eight zero bytes: the prediction 0 as int64."""
    return hashlib.sha256(bytes(8)).hexdigest()


def test_lists_of_numbers_take_one_line(path: Path) -> None:
    assert '    "predictions": [0],\n' in path.read_text()


@pytest.mark.parametrize("element", [None, 1, "logits"], ids=repr)
def test_an_element_is_a_position_or_a_key(path: Path, element: int | str | None) -> None:
    output = dataclasses.replace(MANIFEST.output, element=element)
    path.write_bytes(make_manifest(dataclasses.replace(MANIFEST, output=output)))
    assert read_manifest(path).output == output


def test_a_flipped_bit_in_any_byte_is_found(path: Path) -> None:
    raw = path.read_bytes()
    for position in range(len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 1 << position % 8
        path.write_bytes(altered)
        with pytest.raises(RunError, match="altered"):
            read_manifest(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"x" * 1000], ids=repr)
def test_what_is_no_manifest_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RunError, match="expected a bnbench manifest"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("data"), "model.json: data: expected a value, got none; add the key"),
        (
            lambda c: c["expected"].pop("correct"),
            "model.json: expected.correct: expected a value, got none; add the key",
        ),
        (
            lambda c: c["expected"].update(correct="7"),
            "model.json: expected.correct: expected a whole number, got '7'",
        ),
        (
            lambda c: c["expected"]["probes"].update(logits=[]),
            "model.json: expected.probes.logits: expected 1 rows of one length, got others",
        ),
        (
            lambda c: c["expected"]["probes"].update(logits=[[0.5] * 9]),
            "model.json: expected.probes: expected rows of 10 scores, got others",
        ),
        (
            lambda c: c["expected"].update(predictions=[10]),
            "model.json: expected.predictions: expected classes from 0 to 9, got others",
        ),
        (
            lambda c: c["expected"].update(predictions=[1, 2]),
            "model.json: expected.predictions: expected 1 of them, got 2",
        ),
        (
            lambda c: c["output"].update(kind="scores"),
            "model.json: output.kind: expected one of logits, probabilities",
        ),
        (
            lambda c: c["input"]["preprocessing"][0].update(step="crop"),
            "model.json: input.preprocessing[0].step: expected one of divide",
        ),
        (
            lambda c: c["input"]["preprocessing"][0].update(by=0),
            "model.json: input.preprocessing[0]: divide: expected a divisor above 0",
        ),
        (
            lambda c: c["variant"].update(activation="swish"),
            "model.json: variant.activation: expected one of",
        ),
    ],
    ids=[
        "a missing entry",
        "a missing key",
        "a text",
        "no logits",
        "logits of other classes",
        "a prediction of no class",
        "another count of predictions",
        "an unknown kind",
        "an unknown step",
        "a division by zero",
        "an unknown activation",
    ],
)
def test_a_sealed_manifest_with_other_entries_is_refused_by_the_keys_name(
    path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = dataclasses.asdict(MANIFEST)
    change(content)
    path.write_bytes(seal_manifest(content))
    with pytest.raises(RunError) as caught:
        read_manifest(path)
    assert message in str(caught.value)


def test_the_docs_say_who_checks_each_field() -> None:
    page = (ROOT / "docs" / "verify-a-model.md").read_text(encoding="utf-8")
    rows = page.partition("| field of the manifest |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([\w.]+)`", rows))
    for name, value in json.loads(seal_manifest(CONTENT)).items():
        for entry in value if isinstance(value, dict) else ():
            assert name in named or f"{name}.{entry}" in named, f"{name}.{entry}"
        assert isinstance(value, dict) or name in named, name


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gone\.json: expected a manifest, got none"):
        read_manifest(tmp_path / "gone.json")


def test_a_newer_format_is_told_from_damage(path: Path) -> None:
    path.write_bytes(seal_manifest({"format_version": 7}))
    with pytest.raises(RunError, match="got 7, which is newer"):
        read_manifest(path)
