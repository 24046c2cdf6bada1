import dataclasses
import json
import re
from pathlib import Path

import pytest

from bnbench.records import DataRecord, EnvironmentRecord
from bnbench.specs import DataShape, StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE

HASHES = {"train_inputs": "a", "train_labels": "b", "test_inputs": "c", "test_labels": "d"}
DIGITS = DataRecord("digits", 600, 200, (1, 8, 8), "float32", 10, HASHES)


def test_a_run_of_an_older_version_used_fashion_mnist(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    store = RunStore.create(tmp_path / "run", small_study, REFERENCE, DIGITS, environment)
    content = json.loads((store.folder / "run.json").read_text())
    content["data"] = {
        "name": "FashionMNIST",
        "num_train_images": 60_000,
        "num_test_images": 10_000,
    }
    del content["study"]["data"]
    (store.folder / "run.json").write_text(json.dumps(content))
    found = RunStore.open(store.folder)
    assert (found.study.data, found.data.shape) == ("fashion-mnist", DataShape())
    assert (found.data.noun, found.data.chance, found.data.sha256) == ("image", 0.1, {})


def test_what_is_written_is_read_again(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    named = dataclasses.replace(DIGITS, class_names=tuple("abcdefghij"), source_sha256="e")
    store = RunStore.create(tmp_path / "run", small_study, REFERENCE, named, environment)
    assert RunStore.open(store.folder).data == named


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"num_train_images": 5}, "the number of training inputs was 600, is now 5"),
        ({"input_shape": (64,)}, r"the shape of an input was \(1, 8, 8\), is now \(64,\)"),
        ({"input_dtype": "uint8"}, "the type of inputs was float32, is now uint8"),
        ({"num_classes": 9}, "the number of classes was 10, is now 9"),
        ({"sha256": {**HASHES, "test_labels": "x"}}, "the values of test labels changed"),
    ],
    ids=["size", "shape", "type", "classes", "values"],
)
def test_each_difference_of_data_is_named(changes: dict[str, object], text: str) -> None:
    other = dataclasses.replace(DIGITS, **changes)  # type: ignore[arg-type]
    (found,) = DIGITS.list_differences(other)
    assert re.fullmatch(text, found)
    assert not DIGITS.is_same(other)


def test_the_same_data_under_another_name_are_the_same() -> None:
    assert DIGITS.is_same(dataclasses.replace(DIGITS, name="copy"))


def test_data_without_hashes_are_known_by_their_name() -> None:
    old = dataclasses.replace(DIGITS, sha256={})
    assert old.is_same(DIGITS)
    assert DIGITS.is_same(old)
    assert not old.is_same(dataclasses.replace(DIGITS, name="copy"))


@pytest.mark.parametrize(
    ("shape", "noun"),
    [((1, 8, 8), "image"), ((3, 8, 8), "image"), ((2, 8, 8), "input"), ((64,), "input")],
    ids=str,
)
def test_gray_and_color_images_are_called_images(shape: tuple[int, ...], noun: str) -> None:
    assert dataclasses.replace(DIGITS, input_shape=shape).noun == noun
