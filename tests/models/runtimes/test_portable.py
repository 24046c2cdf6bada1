from pathlib import Path

import numpy as np
import pytest

from bnbench.data import Dataset
from bnbench.models.agreement import compare_logits, make_reference
from bnbench.models.archives import make_archive_files
from bnbench.models.export import write_model_files
from bnbench.models.exported_model import ExportedModel, read_model
from bnbench.models.runtimes import open_runtime
from bnbench.models.runtimes.interface import Evaluation
from bnbench.specs import VariantSpec
from tests.conftest import BASELINE, BATCHNORM
from tests.models.conftest import Exporter

VARIANTS = (
    BASELINE,
    BATCHNORM,
    VariantSpec("layer", hidden_sizes=(8, 6), normalization="layer", activation="gelu"),
    VariantSpec("rms", hidden_sizes=(8, 6), normalization="rms", activation="silu", dropout=0.2),
    VariantSpec("residual", hidden_sizes=(8, 6, 9), residual=True, activation="tanh"),
    VariantSpec("after", hidden_sizes=(8,), normalization="batch", placement="after"),
)


def evaluate(dataset: Dataset, *paths: Path) -> list[Evaluation]:
    assert dataset.folder is not None
    runtime = open_runtime("portable", dataset.folder)
    models = [read_model(path) for path in paths]
    return list(runtime.evaluate(models, dataset.test.inputs.numpy()))


def test_models_of_every_kind_agree_with_binary64_without_an_archive_beside_them(
    export: Exporter, synthetic_dataset: Dataset
) -> None:
    paths = [export(variant, 1) for variant in VARIANTS]
    evaluations = evaluate(synthetic_dataset, *paths)
    images, labels = (synthetic_dataset.test.inputs.numpy(), synthetic_dataset.test.labels.numpy())
    for path, evaluation in zip(paths, evaluations, strict=True):
        assert (evaluation.status, evaluation.reason) == ("agreed", None)
        assert evaluation.logits is not None
        reference = make_reference(read_model(path), images, labels)
        record = compare_logits(reference, "portable", "1", evaluation.logits)
        assert (record.status, record.reason) == ("agreed", None), path.name
        assert not path.with_suffix(".pt2").exists()


def test_the_archive_beside_a_model_is_what_is_evaluated(
    export: Exporter, synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export(BATCHNORM, 1)
    (expected,) = evaluate(synthetic_dataset, path)
    write_model_files(make_archive_files(read_model(path)), path.parent)

    def fail(model: ExportedModel) -> dict[str, bytes]:
        raise AssertionError(model)

    monkeypatch.setattr("bnbench.models.archives.make_archive_files", fail)
    (found,) = evaluate(synthetic_dataset, path)
    assert expected.logits is not None
    assert np.array_equal(expected.logits, found.logits)


def test_an_altered_archive_beside_a_model_is_unusable(
    export: Exporter, synthetic_dataset: Dataset
) -> None:
    path, other = export(BATCHNORM, 1), export(BASELINE, 1)
    archive = write_model_files(make_archive_files(read_model(path)), path.parent)
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2] ^= 1
    archive.write_bytes(raw)
    altered, sound = evaluate(synthetic_dataset, path, other)
    assert (altered.logits, altered.status) == (None, "unusable")
    assert "expected the model of its manifest" in (altered.reason or "")
    assert sound.status == "agreed"


def test_a_model_that_cannot_be_exported_costs_the_others_nothing(
    export: Exporter, synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bnbench.errors import RunError
    from bnbench.models import archives

    make = archives.make_archive_files

    def make_one(model: ExportedModel) -> dict[str, bytes]:
        if "batchnorm" in model.name:
            raise RunError("batchnorm: expected another network, got this one; change it")
        return make(model)

    monkeypatch.setattr(archives, "make_archive_files", make_one)
    failed, sound = evaluate(synthetic_dataset, export(BATCHNORM, 1), export(BASELINE, 1))
    assert (failed.logits, failed.status) == (None, "unusable")
    assert failed.reason == "batchnorm: expected another network, got this one; change it"
    assert sound.status == "agreed"
