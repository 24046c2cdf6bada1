"""What was measured: epochs, trials, environments, and evaluations of exported models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bnbench.own_code import OwnCode
from bnbench.recipes import OptimizerName
from bnbench.specs import (
    ENGINE_NAMES,
    PURPOSES,
    DataShape,
    EngineName,
    Purpose,
    StudySpec,
    TrialSpec,
)

TrialStatus = Literal["finished", "failed"]
LOCAL_NODE = "local"
"""The name of the node in records of trials that ran in the process of the study."""
OPTIMIZER_NAMES: dict[tuple[EngineName, OptimizerName], str] = {
    ("reference", "sgd"): "torch.optim.sgd.SGD",
    ("reference", "adam"): "torch.optim.adam.Adam",
    ("reference", "adamw"): "torch.optim.adamw.AdamW",
    ("native", "sgd"): "bnbench native SGD",
    ("native", "adam"): "bnbench native Adam",
    ("native", "adamw"): "bnbench native AdamW",
}
"""What each engine trains with, by the name it puts on record."""
IMAGE_CHANNELS = (1, 3)
"""Channels of gray and of color images."""
RECIPE_SETTINGS = ("lr", "momentum", "weight_decay")
"""What an optimizer calls the settings that are shown even if they are 0."""
VerificationStatus = Literal["agreed", "disagreed", "unusable", "unchecked"]
CertificateStatus = Literal["bounded", "not covered", "out of range"]


@dataclass(frozen=True)
class EpochRecord:
    """One pass over the training set and the evaluation after it."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    """Mean cross-entropy over the training images, while training."""
    test_loss: float
    """Mean cross-entropy over the evaluated images after the epoch: validation images in a tuning
    trial, else test images."""
    test_accuracy: float
    """Fraction of the evaluated images classified correctly after the epoch, in [0, 1]."""
    train_seconds: float
    """Wall-clock seconds of training alone; the device is synchronized before both readings."""
    eval_seconds: float
    """Wall-clock seconds of the evaluation alone."""


@dataclass(frozen=True)
class TrialRecord:
    """The outcome of a trial: every epoch it finished, and why it failed if it did."""

    trial: TrialSpec
    status: TrialStatus
    epochs: tuple[EpochRecord, ...]
    reason: str | None = None
    """Why the trial failed; None if it finished."""
    node: str = LOCAL_NODE
    """Node that ran the trial: a name in ``nodes.json``, or `LOCAL_NODE`."""
    optimizers: tuple[str, ...] = ()
    """What trained, as `describe_optimizer` writes it: read before the first epoch and after each,
    every state once. Empty in runs of versions that did not record it."""


def describe_optimizer(name: str, settings: Mapping[str, object]) -> str:
    """Write an optimizer as text: ``SGD(lr=0.1, momentum=0, weight_decay=0)``.

    Settings that are off (None, False or 0) are left out, except those that every recipe names.
    """
    shown = {key: settings[key] for key in RECIPE_SETTINGS if key in settings}
    shown |= {key: value for key, value in settings.items() if key in shown or value}
    texts = [
        f"{key}={value:.15g}" if type(value) in (int, float) else f"{key}={value!r}"
        for key, value in shown.items()
    ]
    return f"{name}({', '.join(texts)})"


def follows_recipe(record: TrialRecord) -> bool:
    """Whether what trained is on record as what the recipe asks for.

    Of an own optimizer only the learning rate is known; its other settings are its own affair.
    """
    recipe = record.trial.recipe
    if isinstance(recipe.optimizer, OwnCode):
        rate = f"(lr={recipe.learning_rate:.15g}"
        return all(rate in seen for seen in record.optimizers)
    return record.optimizers == (describe_recipe(record.trial),)


def describe_recipe(trial: TrialSpec) -> str:
    """Write the optimizer that a trial asks of its engine, as `describe_optimizer` does."""
    recipe = trial.recipe
    if isinstance(recipe.optimizer, OwnCode):
        code = recipe.optimizer
        return describe_optimizer(code.label, {"lr": recipe.learning_rate, **code.args})
    settings: dict[str, object] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        settings |= {"momentum": recipe.momentum, "nesterov": recipe.nesterov}
    else:
        settings |= {"betas": (recipe.beta1, recipe.beta2), "eps": recipe.epsilon}
        settings["decoupled_weight_decay"] = recipe.optimizer == "adamw"
    return describe_optimizer(OPTIMIZER_NAMES[trial.engine, recipe.optimizer], settings)


def make_trial_order(study: StudySpec) -> Callable[[TrialRecord], tuple[float, ...]]:
    """Make a sort key: purpose, device, engine, variant, learning rate, seed.

    Returns:
        The sort key of a trial's record; it raises ValueError for a trial of another study.
    """
    seeds: dict[Purpose, Sequence[int]] = {
        "tune": study.tuning.seeds if study.tuning else (),
        "score": study.seeds,
        "alternate": study.seeds,
        "time": range(study.timing.num_pairs),
    }
    # Dictionaries, since there may be a million seeds.
    ranks = {
        purpose: {seed: rank for rank, seed in enumerate(each)} for purpose, each in seeds.items()
    }

    def order_of(record: TrialRecord) -> tuple[float, ...]:
        trial = record.trial
        if trial.seed not in ranks[trial.purpose]:
            raise ValueError(f"seed {trial.seed} is not in the study")
        return (
            PURPOSES.index(trial.purpose),
            study.devices.index(trial.device),
            ENGINE_NAMES.index(trial.engine),
            study.variants.index(trial.variant),
            trial.recipe.learning_rate,
            ranks[trial.purpose][trial.seed],
        )

    return order_of


@dataclass(frozen=True)
class ChosenRateRecord:
    """The learning rate that tuning chose for a variant on a device."""

    variant: str
    device: str
    learning_rate: float
    """Above 0."""
    alternates: tuple[float, ...] = ()
    """Rates that other tuning seeds might have chosen, the likeliest first."""


@dataclass(frozen=True)
class DataRecord:
    """The data set that a run uses."""

    name: str
    num_train_images: int
    num_test_images: int
    input_shape: tuple[int, ...] = (1, 28, 28)
    """Shape of one input of a network. Runs of versions without this key used FashionMNIST."""
    input_dtype: str = "uint8"
    """Type of the stored inputs, ``uint8`` or ``float32``; bytes are divided by 255."""
    num_classes: int = 10
    sha256: dict[str, str] = field(default_factory=dict)
    """SHA-256 of ``train_inputs``, ``train_labels``, ``test_inputs`` and ``test_labels``; empty in
    runs of versions that did not record it."""
    class_names: tuple[str, ...] | None = None
    """Name of each class; None if they have no names or were not recorded."""
    source_sha256: str | None = None
    """SHA-256 of the code that made the data; None if none did."""

    @property
    def shape(self) -> DataShape:
        """What the data ask of a network."""
        return DataShape(self.input_shape, self.num_classes)

    @property
    def chance(self) -> float:
        """Accuracy of guessing among classes of equal size."""
        return 1 / self.num_classes

    @property
    def noun(self) -> str:
        """What an input is called in texts: ``image``, or ``input`` if it is none."""
        is_image = len(self.input_shape) == 3 and self.input_shape[0] in IMAGE_CHANNELS
        return "image" if is_image else "input"

    def is_same(self, other: DataRecord) -> bool:
        """Whether both describe the same data; those of older versions are known by their name."""
        has_hashes = bool(self.sha256 and other.sha256)
        return not self.list_differences(other) and (has_hashes or self.name == other.name)

    def list_differences(self, other: DataRecord) -> list[str]:
        """Describe each difference of `other` that can change a trial's results."""
        conditions: list[tuple[str, object, object]] = [
            ("the number of training inputs", self.num_train_images, other.num_train_images),
            ("the number of test inputs", self.num_test_images, other.num_test_images),
            ("the shape of an input", self.input_shape, other.input_shape),
            ("the type of inputs", self.input_dtype, other.input_dtype),
            ("the number of classes", self.num_classes, other.num_classes),
        ]
        found = [
            f"{name} was {mine}, is now {theirs}"
            for name, mine, theirs in conditions
            if mine != theirs
        ]
        changed = [
            key.replace("_", " ")
            for key, sha256 in self.sha256.items()
            if other.sha256.get(key, sha256) != sha256
        ]
        if changed and not found:
            found.append(f"the values of {' and '.join(changed)} changed")
        return found


@dataclass(frozen=True)
class EnvironmentRecord:
    """The machine and software that a run uses."""

    cpu: str
    cores: int
    """Processors this process may use."""
    threads: int
    """CPU threads of torch, which the reference engine trains on."""
    memory_bytes: int | None
    devices: dict[str, str]
    """Product name of each device of the study."""
    system: str
    versions: dict[str, str]
    """Versions of python, torch, torchvision, numpy and bnbench."""
    commit: str | None
    """Commit of bnbench's checkout, with ``+`` if files were changed; None outside a checkout."""
    started_at: str
    """ISO 8601, UTC."""
    instruction_set: str | None = None
    """Instructions of the native engine, such as ``avx512``; its bits depend on them. None in runs
    of versions that did not record it."""
    native_threads: int | None = None
    """CPU threads of the native engine, each with a trial of its own; its bits do not depend on
    them. None on a node of a cluster, and in runs of versions that did not record it."""

    def list_differences(self, other: EnvironmentRecord) -> list[str]:
        """Describe each difference of `other` that can change a trial's results."""
        versions, others = self.versions, other.versions
        conditions: list[tuple[str, object, object]] = [
            ("the CPU", self.cpu, other.cpu),
            ("the instruction set", self.instruction_set, other.instruction_set),
            ("the number of cores", self.cores, other.cores),
            ("the number of threads", self.threads, other.threads),
            ("the version of bnbench", versions.get("bnbench"), others.get("bnbench")),
            ("the version of torch", versions.get("torch"), others.get("torch")),
        ]
        return [
            f"{name} was {mine}, is now {theirs}"
            for name, mine, theirs in conditions
            if mine != theirs
        ]


@dataclass(frozen=True)
class CertificateRecord:
    """What is proven about one exported model before any runtime evaluates it."""

    model: str
    """The file's name."""
    variant: str
    total: int
    """Test images."""
    correct: int
    """Test images that the model classifies correctly in binary64."""
    certified: int | None
    """Test images whose prediction rounding cannot change; None if the network is not certified."""
    undecided_units: int | None
    """Hidden units, summed over the images, whose sign rounding could change."""
    largest_bound: float | None
    """Largest error of a logit that rounding can cause, over all images and classes."""
    status: CertificateStatus = "bounded"
    reason: str | None = None
    """Why the status is not ``bounded``: the layer, or the tensor that is out of range."""


@dataclass(frozen=True)
class VerificationRecord:
    """One exported model in one runtime, compared with the same model in binary64."""

    model: str
    """The file's name."""
    variant: str
    runtime: str
    version: str
    """The software that evaluated the model, such as ``torch 2.14.1``."""
    correct: int | None = None
    """Test images that the runtime classifies correctly; None if it gave no usable logits."""
    total: int | None = None
    """Test images; None if the model could not be evaluated."""
    accuracy: float | None = None
    """Fraction of test images that the runtime classifies correctly."""
    expected_correct: int | None = None
    """Test images classified correctly at export, by the manifest; None if it is unreadable."""
    differing: int | None = None
    """Test images whose prediction differs from the one in binary64."""
    unexplained: int | None = None
    """Differing predictions that rounding cannot explain."""
    max_abs_diff: float | None = None
    """Largest absolute difference of a logit over all images and classes."""
    max_bound_share: float | None = None
    """Largest difference of a logit as a fraction of the bound on that logit; None if no bound
    covers the network."""
    status: VerificationStatus = "agreed"
    reason: str | None = None
    """Why the status is not ``agreed``."""
