"""Trained models, and what a runtime with a real fault makes of them, in torch and binary32."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bnbench.data import Dataset
from bnbench.models.agreement import make_reference
from bnbench.models.diagnosis import diagnose_file, diagnose_logits
from bnbench.models.exported_model import ExportedModel, read_model
from bnbench.models.manifest import Manifest, read_manifest
from bnbench.networks import build_network
from bnbench.recipes import RecipeSpec
from bnbench.records import TrialRecord
from bnbench.specs import TrialSpec, VariantSpec
from bnbench.training.engines.interface import train_all
from bnbench.training.engines.reference import ReferenceEngine
from tests.conftest import BASELINE, BATCHNORM, export_model, make_synthetic_images

LAYERNORM = VariantSpec("layernorm", hidden_sizes=(8, 6), normalization="layer")
SIGMOID = VariantSpec("sigmoid", hidden_sizes=(8, 6), activation="sigmoid")
NUM_IMAGES = 120

State = dict[str, torch.Tensor]
Change = Callable[[nn.Sequential], object]


@dataclasses.dataclass(frozen=True)
class Exported:
    """A model in a folder of its own, and what it was made of."""

    path: Path
    state: State
    record: TrialRecord
    images: torch.Tensor
    labels: NDArray[np.uint8]

    @property
    def manifest(self) -> Manifest:
        return read_manifest(self.path.with_suffix(".json"))

    def rebuild(self) -> nn.Sequential:
        network = build_network(self.record.trial.variant)
        network.load_state_dict(self.state)
        return network.eval()

    def diagnose_content(self, content: bytes) -> tuple[str, str]:
        fault = diagnose_file(ExportedModel(self.path, content, self.manifest))
        return (fault.name, fault.text) if fault is not None else ("", "")

    def diagnose(self, logits: torch.Tensor) -> tuple[str, str]:
        """The name and the text of what is wrong with logits; empty if nothing is."""
        reference = make_reference(read_model(self.path), self.images.numpy(), self.labels)
        fault = diagnose_logits(reference, logits.numpy(), self.images.numpy())
        return (fault.name, fault.text) if fault is not None else ("", "")


@pytest.fixture(scope="session")
def models(
    synthetic_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported]:
    """Trained and exported: by variant's name and, of batchnorm, another seed."""
    test = make_synthetic_images(NUM_IMAGES, seed=1)
    folder = tmp_path_factory.mktemp("models")
    seeds = [(BASELINE, 0), (BATCHNORM, 0), (BATCHNORM, 1), (LAYERNORM, 0), (SIGMOID, 0)]
    trials = [TrialSpec(variant, RecipeSpec(2, 32, 0.3), seed, "cpu") for variant, seed in seeds]
    made = {}
    for trained in train_all(ReferenceEngine(synthetic_dataset), trials):
        assert trained.state is not None
        path = export_model(trained.record, trained.state, test, folder)
        trial = trained.record.trial
        name = trial.variant.name if trial.seed == 0 else f"{trial.variant.name}-{trial.seed}"
        made[name] = Exported(path, trained.state, trained.record, test.inputs, test.labels.numpy())
    return made


@pytest.fixture
def batchnorm(models: dict[str, Exported]) -> Exported:
    return models["batchnorm"]


def feed(network: nn.Module, pixels: torch.Tensor, batch_size: int = 1000) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in pixels.split(batch_size)])


def scale(images: torch.Tensor) -> torch.Tensor:
    return images.float().div(255).unsqueeze(1)
