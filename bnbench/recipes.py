"""How a network is trained: the recipe of a study, and what a variant changes in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from bnbench.errors import require, require_positive
from bnbench.own_code import OwnCode

OptimizerName = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "linear", "cosine", "one-cycle"]
EvaluationStatistics = Literal["running", "precise"]
WeightAveraging = Literal["none", "ema", "last-epoch"]

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class RecipeSpec:
    """How a network is trained: cross-entropy and an optimizer over shuffled batches."""

    epochs: int = 5
    """Passes over the training set; at least 1."""
    batch_size: int = 64
    """Images per step; at least 1."""
    learning_rate: float = 0.001
    """The optimizer's step size at the schedule's highest point; above 0."""
    optimizer: OptimizerName | OwnCode = "sgd"
    """The rule of a step, as ``torch.optim`` defines it; or an own optimizer, a callable that makes
    a ``torch.optim.Optimizer`` of parameters, ``lr`` and its arguments."""
    schedule: Schedule = "constant"
    """How the step size changes over the training: not at all, to zero in a line or a half cosine,
    or up and down again."""
    warmup_steps: int = 0
    """First steps, over which the step size rises in a line from 0; fewer than all steps."""
    momentum: float = 0.0
    """SGD's momentum, in [0, 1)."""
    nesterov: bool = False
    """Whether SGD looks ahead by its momentum (Nesterov)."""
    beta1: float = 0.9
    """Adam's decay of the mean gradient, in [0, 1)."""
    beta2: float = 0.999
    """Adam's decay of the mean squared gradient, in [0, 1)."""
    epsilon: float = 1e-8
    """Adam's addition to the root of the mean square; above 0."""
    weight_decay: float = 0.0
    """L2 penalty added to every gradient; adamw shrinks the weights instead; at least 0."""
    drop_last: bool = False
    """Whether an epoch leaves out its last batch if that is smaller than the others."""
    label_smoothing: float = 0.0
    """Share of each training label that is spread over all classes, in [0, 1)."""
    evaluation_statistics: EvaluationStatistics = "running"
    """Batch normalization's mean and variance in evaluation: the running ones, or precise ones from
    a pass over the training set after each epoch (Wu and Johnson 2021)."""
    weight_averaging: WeightAveraging = "none"
    """Weights that are evaluated and kept: the last ones, their exponential moving average over the
    steps, or their mean over the steps of the last epoch."""
    averaging_decay: float = 0.999
    """Decay per step of the exponential moving average, in [0, 1)."""
    initialization_seed: int | None = None
    """Seed of the first weights; None takes the trial's own seed."""
    order_seed: int | None = None
    """Seed of all that is drawn while training, the order of images and dropout masks; None takes
    the trial's own seed."""

    def __post_init__(self) -> None:
        require_positive(self, "epochs", "batch_size")
        require(self, "warmup_steps", self.warmup_steps >= 0, "a whole number of at least 0")
        for name in ("learning_rate", "epsilon"):
            require(self, name, 0 < getattr(self, name) < math.inf, "a number above 0")
        for name in ("momentum", "beta1", "beta2", "label_smoothing", "averaging_decay"):
            require(self, name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        require(self, "weight_decay", 0 <= self.weight_decay < math.inf, "a number of at least 0")
        for name in ("initialization_seed", "order_seed"):
            seed = getattr(self, name)
            in_range = seed is None or 0 <= seed <= LARGEST_SEED
            require(self, name, in_range, f"a whole number in [0, {LARGEST_SEED}]")
        if isinstance(self.optimizer, OwnCode):
            for name in ("momentum", "nesterov", "weight_decay"):
                required = "0 with an own optimizer, which takes it in args"
                require(self, name, not getattr(self, name), required)
        elif self.optimizer != "sgd":
            require(
                self, "momentum", self.momentum == 0, f"0 with {self.optimizer}, which has beta1"
            )
            require(self, "nesterov", not self.nesterov, f"false with {self.optimizer}")
        require(
            self, "nesterov", not self.nesterov or self.momentum > 0, "a momentum above 0 with it"
        )
        if self.schedule == "one-cycle":
            required = "0 with the one-cycle schedule, which has its own warm-up"
            require(self, "warmup_steps", self.warmup_steps == 0, required)

    def count_steps(self, num_images: int) -> int:
        """Count an epoch's steps over `num_images` training images."""
        whole, rest = divmod(num_images, self.batch_size)
        return whole if self.drop_last or rest == 0 else whole + 1


@dataclass(frozen=True)
class RecipeChange:
    """What a variant changes in the recipe of its study; None leaves a field as it is.

    The fields are those of `RecipeSpec`, without ``epochs`` and ``batch_size``: trials of one study
    see the same images.
    """

    drop_last: bool | None = None
    optimizer: OptimizerName | OwnCode | None = None
    learning_rate: float | None = None
    """Without effect in a study with tuning, which chooses it."""
    schedule: Schedule | None = None
    warmup_steps: int | None = None
    momentum: float | None = None
    nesterov: bool | None = None
    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    evaluation_statistics: EvaluationStatistics | None = None
    weight_averaging: WeightAveraging | None = None
    averaging_decay: float | None = None
    initialization_seed: int | None = None
    order_seed: int | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The changed fields by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}
