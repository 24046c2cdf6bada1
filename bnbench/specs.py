"""What is asked for: variants, trials and studies, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from bnbench.errors import SpecError, require, require_positive
from bnbench.own_code import Arguments, OwnCode
from bnbench.recipes import LARGEST_SEED, RecipeChange, RecipeSpec

Normalization = Literal["none", "batch", "layer", "rms"]
Placement = Literal["before", "after"]
Activation = Literal["relu", "gelu", "silu", "sigmoid", "tanh"]
Initialization = Literal["torch", "he", "orthogonal"]
EngineName = Literal["reference", "native"]
EngineChoice = Literal["auto", EngineName]
Purpose = Literal["tune", "score", "alternate", "time"]
ModelFormat = Literal["pt", "pt2"]
MODEL_FORMATS: tuple[ModelFormat, ...] = get_args(ModelFormat)
"""Formats of exported models by their suffix: TorchScript, and a torch.export archive."""

DEFAULT_DATA = "fashion-mnist"
"""The data set that studies use unless they say otherwise."""
REFERENCE_ENGINE: EngineName = "reference"
"""The engine that trains every variant on every device, one trial at a time."""
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)
"""In the order in which tables list them."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""In the order in which a study runs its trials."""
VALIDATION_DIVISOR = 6
"""Unless a study says otherwise, one in so many training inputs becomes a validation input."""
EXPLORING: tuple[Purpose, ...] = ("tune", "alternate")
"""Purposes whose trials try several learning rates; a trial that fails there is a result."""


LAYER_FIELDS = (
    "hidden_sizes",
    "normalization",
    "activation",
    "placement",
    "dropout",
    "residual",
    "init",
)
"""Fields of `VariantSpec` that describe layers; an own network has none of them."""


@dataclass(frozen=True)
class DataShape:
    """What the data ask of a network: the shape of an input and the number of classes."""

    input_shape: tuple[int, ...] = (1, 28, 28)
    """Shape of one input of a network: channels, height and width of an image, or the number of
    features. Other shapes are taken as they are; each size is at least 1."""
    num_classes: int = 10
    """Classes, numbered from 0; at least 2."""

    def __post_init__(self) -> None:
        holds = bool(self.input_shape) and all(size >= 1 for size in self.input_shape)
        require(self, "input_shape", holds, "at least one size, each at least 1")
        require(self, "num_classes", self.num_classes >= 2, "at least 2")

    @property
    def num_inputs(self) -> int:
        """Numbers per input: pixels times channels, or features."""
        return math.prod(self.input_shape)


FASHION_MNIST_SHAPE = DataShape()


@dataclass(frozen=True)
class VariantSpec:
    """What is compared: a network of flattened inputs and hidden layers, or an own one; its recipe.

    A hidden layer is a linear layer, normalization, activation and dropout, in this order unless
    `placement` says otherwise.
    """

    name: str
    """Short name for tables and file names: letters, digits, ``_``, ``.`` and ``+``."""
    hidden_sizes: tuple[int, ...] = (64, 32)
    """Units of each hidden layer, first to last; each at least 1."""
    normalization: Normalization = "none"
    """Normalization in each hidden layer."""
    activation: Activation = "relu"
    """Function in each hidden layer."""
    placement: Placement = "before"
    """Place of the normalization: before the activation or after it."""
    dropout: float = 0.0
    """Share of a hidden layer's outputs that each training step sets to 0, in [0, 1)."""
    residual: bool = False
    """Whether each hidden layer but the first adds its inputs to its outputs, cut or filled with
    zeros to their number (He et al. 2016, section 3.3, option A)."""
    init: Initialization = "torch"
    """First weights of the linear layers: torch's own; normal with variance 2 / inputs (He et al.
    2015); or orthogonal (Saxe et al. 2014). The last two start biases at 0."""
    recipe: RecipeChange = field(default_factory=RecipeChange)
    """What this variant changes in the recipe of its study."""
    module: str | None = None
    """An own network instead of these layers: ``FILE.py:NAME`` or ``package.module:NAME``, a
    callable that returns an ``nn.Module`` from inputs to logits."""
    args: Arguments = field(default_factory=Arguments)
    """Keyword arguments of that callable."""
    source_sha256: str | None = None
    """SHA-256 of its code; filled in when a study is read."""

    def __post_init__(self) -> None:
        _require_name(self.name, "_.+")
        if self.module is None:
            require(self, "args", not self.args, "none without a module")
        else:
            _ = self.own_code  # checks the module
            for name in LAYER_FIELDS:
                default = VariantSpec.__dataclass_fields__[name].default
                required = "no value with a module, which has its own layers"
                require(self, name, getattr(self, name) == default, required)
        sizes_hold = all(size >= 1 for size in self.hidden_sizes)
        require(self, "hidden_sizes", sizes_hold, "whole numbers of at least 1")
        require(self, "dropout", 0 <= self.dropout < 1, "a number in [0, 1)")
        if self.normalization == "none":
            require(self, "placement", self.placement == "before", "a normalization to place")
        if self.recipe.evaluation_statistics == "precise":
            holds = self.may_normalize_batches
            require(self, "normalization", holds, "batch, for precise evaluation statistics")

    @property
    def own_code(self) -> OwnCode | None:
        """The callable that builds the network; None for a network of the layers above."""
        if self.module is None:
            return None
        return OwnCode(self.module, self.args, self.source_sha256)

    @property
    def may_normalize_batches(self) -> bool:
        """Whether the network has batch normalization, as far as its spec tells."""
        return self.normalization == "batch" or self.module is not None

    def adapt(self, recipe: RecipeSpec) -> RecipeSpec:
        """Change a recipe as this variant asks, and drop what has no effect on it.

        Raises:
            SpecError: the changed recipe makes no sense.
        """
        changes = self.recipe.changes
        if recipe.evaluation_statistics == "precise" and not self.may_normalize_batches:
            changes["evaluation_statistics"] = "running"  # there are no statistics to replace
        return replace(recipe, **changes) if changes else recipe


@dataclass(frozen=True)
class TrialSpec:
    """One training run: a variant trained by a recipe from a seed on a device."""

    variant: VariantSpec
    recipe: RecipeSpec
    seed: int
    """Seed of all that is random in it, unless the recipe fixes a part."""
    device: str
    engine: EngineName = REFERENCE_ENGINE
    purpose: Purpose = "score"
    """Use of the trial: to tune the recipe on a validation split, to be scored on the test set, to
    be scored at a rate that tuning might have chosen, or to be timed alone on the machine."""

    @property
    def own_codes(self) -> tuple[OwnCode, ...]:
        """The trial's own network and own optimizer, if it has any."""
        optimizer = self.recipe.optimizer
        both = (self.variant.own_code, optimizer if isinstance(optimizer, OwnCode) else None)
        return tuple(code for code in both if code is not None)

    @property
    def key(self) -> str:
        """The name of a scored trial within its run, fit for a file name."""
        return f"{self.variant.name}-seed{self.seed}-{self.device.replace(':', '')}"


@dataclass(frozen=True)
class TuningSpec:
    """How each variant's learning rate is chosen: the same grid and seeds for every variant."""

    learning_rates: tuple[float, ...]
    """The grid, ascending; each above 0."""
    seeds: tuple[int, ...]
    """Seeds of the tuning trials; none of them may be a seed that is scored."""
    num_validation_images: int | None = None
    """Inputs cut from the training set, of each class in proportion to its number; never test
    inputs. None cuts a sixth, which is 10,000 images of FashionMNIST."""
    split_seed: int = 0
    """Which images are cut."""
    refine: bool = False
    """Whether each variant also tries rates below and above its best one."""
    max_alternates: int = 0
    """Most rates per variant at which it is also scored, since other tuning seeds might have chosen
    them; at least 0. The interval of the difference then covers the choice of the rates."""
    refine_octaves: tuple[float, ...] = (0.5,)
    """Distances from the best rate at which refining tries rates, in octaves, one after the other;
    each above 0."""
    num_first_seeds: int | None = None
    """Seeds that every rate is tried with, the first of `seeds`; None tries every rate with all."""
    num_finalists: int = 3
    """Rates per variant that are tried with all seeds: the best with the first ones."""
    num_alternate_seeds: int | None = None
    """Scored seeds of each of these rates, the first of the study's; None takes all."""

    def __post_init__(self) -> None:
        _require_distinct("learning_rates", self.learning_rates)
        in_range = all(0 < rate < math.inf for rate in self.learning_rates)
        require(self, "learning_rates", in_range, "numbers above 0")
        ascending = list(self.learning_rates) == sorted(self.learning_rates)
        require(self, "learning_rates", ascending, "an ascending list")
        _require_seeds(self.seeds)
        if self.num_first_seeds is not None:
            in_range = 1 <= self.num_first_seeds <= len(self.seeds)
            require(
                self, "num_first_seeds", in_range, f"a whole number from 1 to {len(self.seeds)}"
            )
        if self.num_alternate_seeds is not None:
            require_positive(self, "num_alternate_seeds")
        require_positive(self, "num_finalists")
        in_range = all(0 < octaves < math.inf for octaves in self.refine_octaves)
        require(self, "refine_octaves", in_range, "numbers above 0")
        require(self, "max_alternates", self.max_alternates >= 0, "a whole number of at least 0")
        if self.num_validation_images is not None:
            require_positive(self, "num_validation_images")

    @property
    def first_seeds(self) -> tuple[int, ...]:
        """The seeds that every rate is tried with."""
        return self.seeds[: self.num_first_seeds]

    def count_validation(self, num_train: int) -> int:
        """Count the inputs that are cut from a training set of `num_train`."""
        number = self.num_validation_images
        return max(num_train // VALIDATION_DIVISOR, 1) if number is None else number


@dataclass(frozen=True)
class TimingSpec:
    """How time per epoch is measured where the scored trials share the machine.

    Each engine trains one trial at a time; the variants alternate.
    """

    num_pairs: int = 10
    """Trials of each variant; 0 measures no times. A ratio of times has an interval from six pairs
    on."""
    epochs: int = 1
    """Epochs of each trial; at least 1."""

    def __post_init__(self) -> None:
        require(self, "num_pairs", self.num_pairs >= 0, "a whole number of at least 0")
        require_positive(self, "epochs")


@dataclass(frozen=True)
class StudySpec:
    """What is compared: variants x seeds x devices; the first variant is the baseline."""

    name: str
    variants: tuple[VariantSpec, ...]
    recipe: RecipeSpec = field(default_factory=RecipeSpec)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Each scored trial's random seed; variants are paired by it."""
    devices: tuple[str, ...] = ("cpu",)
    """Torch device names: ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    engine: EngineChoice = "auto"
    """The engine that trains the trials; ``auto`` is the fastest that can train all variants."""
    threads: int | None = None
    """CPU threads of each engine; None takes one for the reference engine, and all cores for the
    native engine."""
    tuning: TuningSpec | None = None
    """If given, each variant is scored at the learning rate that was best for it in tuning."""
    timing: TimingSpec = field(default_factory=TimingSpec)
    """How time per epoch is measured where the scored trials share the machine."""
    target_accuracy: float | None = None
    """Accuracy to reach in the time to target, in (0, 1); None takes the accuracy that half of the
    first variant's trials reach."""
    formats: tuple[ModelFormat, ...] = ("pt",)
    """Formats that models are exported in, some of `MODEL_FORMATS`; ``pt`` is always among them."""
    data: str = DEFAULT_DATA
    """What is trained and evaluated on: a named data set, an ``.npz`` file, a folder of IDX files
    or ``FILE.py:FUNCTION``; a path is absolute on record."""

    def __post_init__(self) -> None:
        _require_name(self.name, "_.+-")
        _require_distinct("variants", [variant.name for variant in self.variants])
        _require_distinct("devices", self.devices)
        _require_seeds(self.seeds)
        _require_distinct("formats", self.formats)
        if set(self.formats) - set(MODEL_FORMATS) or "pt" not in self.formats:
            raise SpecError(
                f"formats: expected pt, alone or with {', '.join(MODEL_FORMATS[1:])}, got "
                f"{','.join(self.formats)}"
            )
        if self.threads is not None:
            require_positive(self, "threads")
        if self.target_accuracy is not None:
            in_range = 0 < self.target_accuracy < 1
            require(self, "target_accuracy", in_range, "a fraction between 0 and 1")
        for index, variant in enumerate(self.variants):
            try:
                self._timed(variant)
            except SpecError as error:
                text = f"variants[{index}].recipe.{error}"
                raise SpecError(text) from None
        if self.recipe.evaluation_statistics == "precise":
            has_batch = any(variant.may_normalize_batches for variant in self.variants)
            if not has_batch:
                raise SpecError(
                    "recipe.evaluation_statistics: expected running without a variant that has "
                    "batch normalization, got 'precise'"
                )
        shared = set(self.seeds) & set(self.tuning.seeds if self.tuning else ())
        if shared:
            raise SpecError(
                f"seeds: expected seeds that the tuning does not use, got {min(shared)}"
            )

    @property
    def own_codes(self) -> tuple[OwnCode, ...]:
        """The own networks and optimizers of all variants, each once."""
        trials = (TrialSpec(each, self._at(each), 0, "cpu") for each in self.variants)
        return tuple(dict.fromkeys(code for trial in trials for code in trial.own_codes))

    def list_tuning_trials(
        self,
        engines: Mapping[str, EngineName],
        rates: Mapping[tuple[str, str], Sequence[float]] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> tuple[TrialSpec, ...]:
        """List the trials that choose learning rates, trained on a part of the training set.

        Args:
            engines: the engine that trains on each device.
            rates: learning rates by (variant, device); by default, the grid for all.
            seeds: seeds of the trials; by default, those that every rate is tried with.
        """
        tuning = self.tuning
        if tuning is None:
            return ()
        return tuple(
            TrialSpec(variant, self._at(variant, rate), seed, device, engines[device], "tune")
            for device in self.devices
            for seed in (tuning.first_seeds if seeds is None else seeds)
            for variant in self.variants
            for rate in (
                tuning.learning_rates if rates is None else rates.get((variant.name, device), ())
            )
        )

    def list_alternate_trials(
        self,
        engines: Mapping[str, EngineName],
        rates: Mapping[tuple[str, str], Sequence[float]],
    ) -> tuple[TrialSpec, ...]:
        """List the trials at rates that tuning might have chosen; the arguments are as above."""
        number = self.tuning.num_alternate_seeds if self.tuning else None
        return tuple(
            TrialSpec(variant, self._at(variant, rate), seed, device, engines[device], "alternate")
            for device in self.devices
            for seed in self.seeds[:number]
            for variant in self.variants
            for rate in rates.get((variant.name, device), ())
        )

    def list_scored_trials(
        self,
        engines: Mapping[str, EngineName],
        rates: Mapping[tuple[str, str], float] | None = None,
    ) -> tuple[TrialSpec, ...]:
        """List the trials that are scored on the test set, in the order in which they run.

        The variants' order alternates from seed to seed (AB, BA, AB, ...), so that a drift of the
        machine's speed during a run affects all variants alike.

        Args:
            engines: the engine that trains on each device.
            rates: the chosen learning rate by (variant, device), in a study with tuning; a
                variant without one is not scored.
        """
        chosen = rates or {}
        return tuple(
            TrialSpec(
                variant,
                self._at(variant, chosen.get((variant.name, device))),
                seed,
                device,
                engines[device],
            )
            for device in self.devices
            for index, seed in enumerate(self.seeds)
            for variant in (self.variants if index % 2 == 0 else self.variants[::-1])
            if self.tuning is None or (variant.name, device) in chosen
        )

    def _at(self, variant: VariantSpec, learning_rate: float | None = None) -> RecipeSpec:
        """The recipe of a variant, at a learning rate if one is given."""
        recipe = variant.adapt(self.recipe)
        return recipe if learning_rate is None else replace(recipe, learning_rate=learning_rate)

    def list_timed_trials(self, engines: Mapping[str, EngineName]) -> tuple[TrialSpec, ...]:
        """List the trials that run alone to be timed.

        Devices of the reference engine need none: it trains one scored trial at a time.
        """
        return tuple(
            TrialSpec(variant, self._timed(variant), seed, device, engine, "time")
            for device in self.devices
            if engines[device] != REFERENCE_ENGINE
            for seed in range(self.timing.num_pairs)
            for engine in (REFERENCE_ENGINE, engines[device])
            for variant in (self.variants if seed % 2 == 0 else self.variants[::-1])
        )

    def _timed(self, variant: VariantSpec) -> RecipeSpec:
        return replace(self._at(variant), epochs=self.timing.epochs)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read seeds from text: ``0-4``, ``0,3,7`` or a mixture of both.

    Raises:
        SpecError: the text is no such list, or a range has more than a million seeds.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.strip().isdecimal()):
            raise SpecError(
                f"seeds: expected whole numbers and ranges such as 0-4 or 0,3,7; got {text!r}"
            )
        low, high = int(first), int(last) if dash else int(first)
        if high < low or high - low >= 1_000_000:
            raise SpecError(
                f"seeds: expected a range from low to high of at most a million, got {part!r}"
            )
        seeds.extend(range(low, high + 1))
    return tuple(seeds)


def _require_name(name: str, marks: str) -> None:
    if not name or not all(c.isalnum() or c in marks for c in name):
        raise SpecError(
            f"name: expected letters, digits and any of {marks}, got {name!r}; "
            "it becomes part of file names"
        )


def _require_seeds(seeds: tuple[int, ...]) -> None:
    _require_distinct("seeds", seeds)
    for seed in seeds:
        if not 0 <= seed <= LARGEST_SEED:
            raise SpecError(f"seeds: expected whole numbers in [0, {LARGEST_SEED}], got {seed}")


def _require_distinct(name: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise SpecError(f"{name}: expected distinct values, got {value!r} twice")
        seen.add(value)
    if not seen:
        raise SpecError(f"{name}: expected at least one, got none")
