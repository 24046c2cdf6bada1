"""``bnbench run``: a study from its options to its report."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnbench.cli.report import show_report
from bnbench.cli.verify import Verdicts, show_verdict, verify_run
from bnbench.errors import RunError, SpecError
from bnbench.networks import find_variant
from bnbench.records import DataRecord
from bnbench.specs import StudySpec, parse_seeds
from bnbench.store import RunStore
from bnbench.training.catalog import check_against_data, find_study

if TYPE_CHECKING:
    from bnbench.training.executors.interface import Executor

TRIAL_FAILED_EXIT_CODE = 1


@dataclass(frozen=True)
class ExecutorChoice:
    """Where the command line wants trials run."""

    name: str = "in-process"
    address: str | None = None

    @property
    def options(self) -> str:
        """The same choice on a command line; nothing where it is the default."""
        if self.name == "in-process":
            return ""
        address = "" if self.address is None else f" --address {shlex.quote(self.address)}"
        return f" --executor {self.name}{address}"

    def check(self, study: StudySpec) -> None:
        """Check what can be checked before anything is loaded.

        Raises:
            SpecError: Ray is not installed, or an option does not go with another one.
        """
        if self.name != "ray":
            if self.address is not None:
                raise SpecError(f"address: expected --executor ray with it, got {self.name}")
            return
        from bnbench.training.executors.ray_cluster import require_ray

        require_ray()
        for device in study.devices:
            if device not in ("cpu", "cuda"):
                raise SpecError(
                    "devices: expected cpu or cuda, since Ray chooses among a node's GPUs, got "
                    f"{device!r}"
                )

    def require_devices(self, study: StudySpec) -> None:
        """Check that this machine has the study's devices, if it is to use them."""
        if self.name != "ray":
            from bnbench.environment import require_devices

            require_devices(study.devices)

    @contextlib.contextmanager
    def make(self, threads: int) -> Iterator[Executor]:
        """The executor, for as long as it is needed."""
        if self.name == "ray":
            from bnbench.training.executors.ray_cluster import join_cluster

            with join_cluster(self.address):
                from bnbench.training.executors.ray_executor import RayExecutor

                yield RayExecutor(threads)
        else:
            from bnbench.training.executors.in_process import InProcessExecutor

            yield InProcessExecutor(threads)


@click.command()
@click.option(
    "--study",
    "study_name",
    default="notebook",
    show_default=True,
    help="notebook (one learning rate), fair (tuned), a TOML file, or a run's run.json.",
)
@click.option("--variants", help="Networks to compare, such as baseline,batchnorm,layernorm.")
@click.option("--seeds", help="Random seeds, such as 0-4 or 0,3,7.")
@click.option("--devices", help="Torch devices, such as cpu or cpu,cuda:1.")
@click.option("--epochs", type=int, help="Passes over the training set.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--learning-rate", type=float, help="Step size of SGD.")
@click.option("--momentum", type=float, help="Momentum of SGD.")
@click.option("--weight-decay", type=float, help="L2 penalty, as torch.optim.SGD adds it.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "reference", "native"]),
    help="What trains: a plain PyTorch loop (reference) or C++ (native, on the CPU).",
)
@click.option("--threads", type=int, help="CPU threads.  [default: torch's choice]")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of FashionMNIST, raw or .gz.  [default: $BNBENCH_DATA, or found or fetched]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="New folder for the run.  [default: runs/STUDY-TIME]",
)
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="RUN", help="Complete an unfinished run."
)
@click.option(
    "--executor",
    "executor_name",
    type=click.Choice(["in-process", "ray"]),
    default="in-process",
    show_default=True,
    help="Where trials are run: here, or on the nodes of a Ray cluster.",
)
@click.option(
    "--address",
    metavar="auto|HOST:PORT",
    help="The Ray cluster to join.  [default: a Ray on this machine]",
)
def run(
    data_dir: Path | None,
    out: Path | None,
    resume: Path | None,
    executor_name: str,
    address: str | None,
    **options: Any,
) -> None:
    """Train all trials of a study, export and verify them, and write the report.

    Options change the study given by --study. Finished trials are on disk at once: a run that
    was interrupted goes on by --resume RUN and ends as if nothing had happened.
    """
    choice = ExecutorChoice(executor_name, address)
    if resume is not None:
        given = [
            f"--{name.replace('_name', '').replace('_', '-')}"
            for name in options
            if _was_given(name)
        ]
        if out is not None:
            given.append("--out")
        if given:
            raise click.UsageError(
                f"--resume goes on with the run's own study, so it takes no {', '.join(given)}"
            )
        sys.exit(resume_run(resume, data_dir, choice))
    study_name = options.pop("study_name")
    sys.exit(start_run(study_name, options, data_dir, out, choice))


def _was_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def start_run(
    study_name: str,
    options: dict[str, Any],
    data_dir: Path | None,
    out: Path | None,
    choice: ExecutorChoice,
) -> int:
    """Run a new study; return the exit code."""
    study = apply_options(find_study(study_name), options)
    choice.check(study)
    # Torch comes in here: a mistake in the options above is told in a blink.
    from bnbench.data import load_fashion_mnist
    from bnbench.environment import describe_environment, use_threads
    from bnbench.models.runtimes.libtorch import find_binary
    from bnbench.training.engines import resolve_engines

    choice.require_devices(study)
    engines = resolve_engines(study)
    find_binary()
    dataset = load_fashion_mnist(data_dir)
    check_against_data(study, len(dataset.train))
    use_threads(study.threads)
    environment = describe_environment(study.devices)
    with choice.make(environment.threads) as executor:
        store = RunStore.create(
            out if out is not None else _name_run_folder(study),
            study,
            engines,
            DataRecord(dataset.name, len(dataset.train), len(dataset.test)),
            environment,
        )
        return _run(store, dataset, executor, choice.options)


def resume_run(folder: Path, data_dir: Path | None, choice: ExecutorChoice) -> int:
    """Complete an interrupted run; return the exit code.

    Raises:
        RunError: this machine or its software differs from what the run was made with.
    """
    store = RunStore.open(folder)
    choice.check(store.study)
    from bnbench.data import load_fashion_mnist
    from bnbench.environment import describe_environment, use_threads

    choice.require_devices(store.study)
    use_threads(store.study.threads)
    environment = describe_environment(store.study.devices)
    differences = store.environment.list_differences(environment)
    if differences:
        raise RunError(
            f"{folder}: expected the machine and software the run was begun with, got that "
            f"{'; '.join(differences)}. Figures of both must not be mixed: start a new run"
        )
    dataset = load_fashion_mnist(data_dir)
    with choice.make(environment.threads) as executor:
        return _run(store, dataset, executor, choice.options)


def apply_options(study: StudySpec, options: dict[str, Any]) -> StudySpec:
    """The study with the command line's options put in.

    Raises:
        SpecError: an option's value cannot be.
    """
    given = {name: value for name, value in options.items() if value is not None}
    changes: dict[str, Any] = {}
    if study.tuning is not None and "learning_rate" in given:
        raise SpecError(
            f"learning_rate: expected none, since the {study.name} study chooses it for each "
            f"variant, got {given['learning_rate']:g}; leave it out or take another study"
        )
    if "variants" in given:
        by_name = {variant.name: variant for variant in study.variants}
        changes["variants"] = tuple(
            by_name.get(name) or find_variant(name) for name in _split(given.pop("variants"))
        )
    if "seeds" in given:
        changes["seeds"] = parse_seeds(given.pop("seeds"))
    if "devices" in given:
        changes["devices"] = tuple(_split(given.pop("devices")))
    for name in ("threads", "engine"):
        if name in given:
            changes[name] = given.pop(name)
    return dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, **given), **changes)


def _run(store: RunStore, dataset: Any, executor: Executor, options: str) -> int:
    from rich.console import Console

    from bnbench.cli.progress import StudyProgress
    from bnbench.models.runtimes import DEFAULT_RUNTIMES
    from bnbench.training.study import run_study

    engines = ", ".join(f"{engine} on {device}" for device, engine in store.engines.items())
    click.echo(f"Run folder: {store.folder}; engine: {engines}", err=True)
    verdicts: Verdicts = ([], [])
    try:
        with StudyProgress(Console(stderr=True)) as progress:
            records = run_study(store, dataset, progress, executor)
        if any(r.status == "finished" and r.trial.purpose == "score" for r in records):
            verdicts = verify_run(store, dataset, DEFAULT_RUNTIMES)
        show_report(store, store.read_trials())
    except KeyboardInterrupt:
        click.echo(
            "Interrupted; finished trials are kept. Go on with: "
            f"bnbench run --resume {shlex.quote(str(store.folder))}{options}",
            err=True,
        )
        raise click.exceptions.Abort from None
    verdict = show_verdict(*verdicts)
    failed = [r for r in records if r.status == "failed" and r.trial.purpose != "tune"]
    for record in failed:
        click.echo(f"failed: {record.trial.key}: {record.reason}", err=True)
    return verdict or (TRIAL_FAILED_EXIT_CODE if failed else 0)


def _name_run_folder(study: StudySpec) -> Path:
    return Path("runs") / f"{study.name}-{datetime.now():%Y%m%d-%H%M%S}"


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
