"""A study as an object: what is compared, and how to run it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bnbench.data_names import resolve_data
from bnbench.errors import RunError
from bnbench.library.callables import own_callable
from bnbench.library.job import Job, complete
from bnbench.library.loggers import open_loggers
from bnbench.library.observer import Observers, RunObserver
from bnbench.library.progress import show_progress
from bnbench.library.run import Run
from bnbench.recipes import RecipeSpec
from bnbench.reporting.wording import format_count
from bnbench.specs import (
    DEFAULT_DATA,
    EngineChoice,
    ModelFormat,
    StudySpec,
    TimingSpec,
    TuningSpec,
    VariantSpec,
)
from bnbench.store import RunStore
from bnbench.techniques import find_variant
from bnbench.training.catalog import find_study
from bnbench.training.executors import DEFAULT_EXECUTOR
from bnbench.training.identify import identify_own_code

if TYPE_CHECKING:
    from torch import nn

Network = str | VariantSpec | Callable[..., "nn.Module"]
Variants = Sequence[Network] | Mapping[str, Network]


class Study:
    r"""Variants x seeds x devices, trained by one recipe; the first variant is the baseline.

    The arguments are the fields of `StudySpec`, which says more about each.

    Args:
        variants: what is compared: names of built-in variants, own networks such as
            ``my_nets.py:SmallCNN``, or `VariantSpec`; or by name each of these, or a callable that
            returns an ``nn.Module``, from float32 inputs of shape (N, \*input_shape) to logits of
            shape (N, num_classes).
        data: what is trained and evaluated on: ``fashion-mnist``, ``mnist``, ``kmnist``,
            ``emnist-balanced`` or ``cifar10``; the path of an ``.npz`` file with x_train, y_train,
            x_test and y_test, or of a folder of IDX files; or ``FILE.py:FUNCTION``. Inputs have the
            shape (n, \*input_shape): bytes stand for 0 to 255, float32 is taken as it is.
        recipe: how each is trained; by default the notebook's: SGD, 5 epochs of batches of 64 at a
            constant learning rate of 0.001.
        seeds: one scored trial per variant and seed; variants are paired by it.
        tuning: how each variant's learning rate is chosen; None takes the recipe's.
        name: its name in the report, and part of file names.
        devices: Torch's names, such as ``cpu`` and ``cuda:0``.
        engine: ``reference`` (plain PyTorch), ``native`` (C++), or ``auto``, the fastest that fits.
        threads: CPU threads of each engine; None takes what is fastest.
        timing: how the time per epoch is measured where scored trials share the machine.
        target_accuracy: accuracy in (0, 1) whose time of arrival is reported; None takes the one
            that half of the first variant's trials reach.
        formats: what models are exported as: ``pt`` (TorchScript), and ``pt2`` (torch.export) too.

    Raises:
        SpecError: a value is not allowed; the text names it.

    >>> import bnbench
    >>> bnbench.Study(["baseline", "batchnorm"], recipe=bnbench.Recipe(epochs=2), seeds=range(3))
    Study('comparison': baseline, batchnorm on fashion-mnist; 3 seeds)
    >>> bnbench.Study(["baseline"], recipe=bnbench.Recipe(epochs=0))
    Traceback (most recent call last):
    bnbench.errors.SpecError: epochs: expected a whole number of at least 1, got 0
    """

    def __init__(
        self,
        variants: Variants = ("baseline", "batchnorm"),
        *,
        data: str | Path = DEFAULT_DATA,
        recipe: RecipeSpec | None = None,
        seeds: Sequence[int] = range(5),
        tuning: TuningSpec | None = None,
        name: str = "comparison",
        devices: Sequence[str] = ("cpu",),
        engine: EngineChoice = "auto",
        threads: int | None = None,
        timing: TimingSpec | None = None,
        target_accuracy: float | None = None,
        formats: Sequence[ModelFormat] = ("pt",),
    ) -> None:
        spec = StudySpec(
            name=name,
            data=resolve_data(str(data), Path()),
            variants=_find_variants(variants),
            recipe=_make_plain(recipe or RecipeSpec()),
            seeds=_make_plain(seeds),
            devices=_make_plain(devices),
            engine=engine,
            threads=threads,
            tuning=_make_plain(tuning),
            timing=timing or TimingSpec(),
            target_accuracy=target_accuracy,
            formats=tuple(formats),
        )
        self.spec = identify_own_code(spec, Path())
        """What is run and recorded."""

    @classmethod
    def find(cls, name: str | Path) -> Study:
        """Find a study that has a name, or is in a file.

        Args:
            name: a built-in study, such as ``notebook`` or ``fair/linear``; the path of a TOML
                file; or that of a run's ``run.json``.

        Raises:
            SpecError: there is no such study, or the file does not describe one.

        >>> Study.find("notebook").spec.recipe.batch_size
        64
        """
        spec = find_study(str(name))
        fields = dataclasses.fields(spec)
        return cls(**{field.name: getattr(spec, field.name) for field in fields})

    def run(
        self,
        folder: str | Path,
        *,
        data_dir: str | Path | None = None,
        executor: str = DEFAULT_EXECUTOR,
        address: str | None = None,
        log: Sequence[str] = (),
        progress: bool = True,
    ) -> Run:
        """Train all trials, export and verify the models, and write the report.

        Each trial is saved as soon as it ends. If `folder` has an unfinished run of this study, it
        goes on; a finished one is opened.

        Args:
            folder: the run's folder.
            data_dir: folder of FashionMNIST; by default it is found or fetched.
            executor: ``in-process``, or ``ray`` for the nodes of a cluster.
            address: the Ray cluster to join, ``auto`` or ``HOST:PORT``.
            log: loggers that show the curves too: ``tensorboard``, ``mlflow``, ``wandb``.
            progress: whether to show progress: below a notebook's cell, or on standard error.

        Raises:
            SpecError: the study cannot be run as it is, or a logger is not installed.
            DataError: the data set cannot be used.
            RunError: the folder is in use, or has the run of another study or machine.
            RuntimeUnavailableError: ``bnbench-eval``, which verifies the models, is missing.
            KeyboardInterrupt: the user interrupted it; finished trials are saved.
        """
        where = Path(folder)
        asked = None if self._has_begun(where) else self.spec
        data_folder = None if data_dir is None else Path(data_dir)
        job = Job(
            where,
            asked,
            data_folder,
            executor_name=executor,
            address=address,
            redo_finished=False,
        )
        job.check()
        observers: list[RunObserver] = [show_progress()] if progress else []
        observers += open_loggers([log] if isinstance(log, str) else log)
        (completed,) = complete(job, Observers(observers))
        return Run(completed.store, data_folder)

    def _has_begun(self, folder: Path) -> bool:
        """Whether a folder has a run of this study."""
        if not (folder / "run.json").exists():
            return False
        found = RunStore.open(folder).study
        differing = [
            field.name
            for field in dataclasses.fields(StudySpec)
            if getattr(found, field.name) != getattr(self.spec, field.name)
        ]
        if differing:
            raise RunError(
                f"{folder}: expected a run of this study, got one that differs in "
                f"{', '.join(differing)}; choose another folder"
            )
        return True

    def __repr__(self) -> str:
        names = ", ".join(variant.name for variant in self.spec.variants)
        seeds = format_count(len(self.spec.seeds), "seed")
        return f"Study({self.spec.name!r}: {names} on {self.spec.data}; {seeds})"


def _make_plain(value: Any) -> Any:
    """Make what JSON gives back: tuples of lists, ranges and arrays, Python's own numbers."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return replace(value, **{name: _make_plain(getattr(value, name)) for name in names})  # type: ignore[type-var]
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(_make_plain, value)) if isinstance(value, list | tuple | range) else value


def _find_variants(variants: Variants) -> tuple[VariantSpec, ...]:
    """Make variants of what was given."""
    if not isinstance(variants, Mapping):
        return tuple(map(_find_variant, variants))
    return tuple(replace(_find_variant(each), name=name) for name, each in variants.items())


def _find_variant(given: Network) -> VariantSpec:
    if isinstance(given, str):
        return find_variant(given)
    if not isinstance(given, VariantSpec):
        code = own_callable(given)
        return VariantSpec(
            code.name.lower(), module=code.module, args=code.args, source_sha256=code.source_sha256
        )
    return replace(given, hidden_sizes=_make_plain(given.hidden_sizes))
