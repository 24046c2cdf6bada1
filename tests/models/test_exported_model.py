import pytest

from bnbench.errors import RunError
from bnbench.models.exported_model import read_model
from tests.conftest import BATCHNORM
from tests.models.conftest import Exporter


def test_an_exported_model_is_opened_with_its_manifest_variant_and_network(
    export: Exporter,
) -> None:
    path = export(BATCHNORM)
    model = read_model(path)
    assert (model.name, model.content) == ("batchnorm-seed0-cpu.pt", path.read_bytes())
    assert model.is_unaltered
    assert model.manifest.variant == BATCHNORM
    assert model.manifest.seed == 0
    assert model.network.constants == {"norm1.eps": 1e-5, "norm2.eps": 1e-5}


def test_another_file_than_the_manifests_is_noticed(export: Exporter) -> None:
    path = export(BATCHNORM)
    path.write_bytes(path.read_bytes()[:-1])
    assert not read_model(path).is_unaltered


def test_a_missing_manifest_or_file_is_named(export: Exporter) -> None:
    path = export(BATCHNORM)
    path.with_suffix(".json").unlink()
    with pytest.raises(RunError, match="expected a manifest, got none"):
        read_model(path)
    path.unlink()
    with pytest.raises(RunError, match=r"batchnorm-seed0-cpu\.pt: expected a model's file"):
        read_model(path)
