"""``bnbench run``: a study from its options to its report."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnbench.cli.exit_codes import describe_disk_error, find_interruption_code, is_interruption
from bnbench.cli.guard import run_guarded
from bnbench.cli.report import show_report
from bnbench.cli.verify import show_verdict, verify_models
from bnbench.errors import RunError, SpecError
from bnbench.machine import stop_spinning
from bnbench.records import DataRecord, VerificationRecord
from bnbench.specs import ENGINE_NAMES, EXPLORING, REFERENCE_ENGINE, StudySpec, parse_seeds
from bnbench.store import RunStore
from bnbench.techniques import find_variant
from bnbench.training.catalog import check_against_data, find_study
from bnbench.training.executors import DEFAULT_EXECUTOR, EXECUTORS, check_executor

if TYPE_CHECKING:
    from bnbench.data import Dataset
    from bnbench.training.executors.interface import Executor

DEFAULT_STUDY = "notebook"
TRIAL_FAILED_EXIT_CODE = 1


@click.command()
@click.option(
    "--study",
    "study_name",
    help="notebook (one learning rate), fair (tuned), a TOML file, or a run's run.json.  "
    f"[default: {DEFAULT_STUDY}]",
)
@click.option("--variants", help="Networks to compare, such as baseline,batchnorm,layernorm.")
@click.option("--seeds", help="Random seeds, such as 0-4 or 0,3,7.")
@click.option("--devices", help="Torch devices, such as cpu or cpu,cuda:1.")
@click.option("--epochs", type=int, help="Passes over the training set.")
@click.option("--batch-size", type=int, help="Images per step.")
@click.option("--learning-rate", type=float, help="Step size of SGD.")
@click.option("--momentum", type=float, help="Momentum of SGD.")
@click.option("--weight-decay", type=float, help="L2 penalty, as torch.optim.SGD adds it.")
@click.option(
    "--engine",
    type=click.Choice(["auto", *ENGINE_NAMES]),
    help="A plain PyTorch loop (reference) or C++ on the CPU (native).  [default: the fastest]",
)
@click.option(
    "--threads",
    type=int,
    help="CPU threads of each engine.  [default: 1 for reference, all cores for native]",
)
@click.option(
    "--no-timing",
    is_flag=True,
    default=None,
    help="Skip the timed trials; the native engine's study then has no times.",
)
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
    type=click.Choice(list(EXECUTORS)),
    default=DEFAULT_EXECUTOR,
    show_default=True,
    help="Where trials run: in this process, or on the nodes of a Ray cluster.",
)
@click.option(
    "--address",
    metavar="auto|HOST:PORT",
    help="The Ray cluster to join.  [default: a Ray on this machine]",
)
def run(
    study_name: str | None,
    data_dir: Path | None,
    out: Path | None,
    resume: Path | None,
    executor_name: str,
    address: str | None,
    no_timing: bool | None,
    **options: Any,
) -> None:
    """Train all trials of a study, export and verify them, and write the report.

    Options change the study given by --study. Each trial is saved as soon as it ends: --resume RUN
    continues an interrupted run, with the same result as without the interruption.
    """
    if resume is None:
        study = _apply_options(find_study(study_name or DEFAULT_STUDY), options)
        if no_timing:
            timing = dataclasses.replace(study.timing, num_pairs=0)
            study = dataclasses.replace(study, timing=timing)
        folder = out or Path("runs") / f"{study.name}-{datetime.now():%Y%m%d-%H%M%S}"
    else:
        _refuse_options({"study": study_name, "out": out, "no_timing": no_timing, **options})
        study, folder = RunStore.open(resume).study, resume
    check_executor(executor_name, address, study)
    advice = f"go on with: {_name_resume_command(folder, executor_name, address)}"
    is_new = resume is None

    def train() -> int:
        try:
            return _train(study, folder, is_new, data_dir, executor_name, address)
        except OSError as error:
            text = describe_disk_error(error, f"make space, then {advice}")
            if text is None or not (folder / "run.json").exists():
                raise
            raise RunError(text) from None

    try:
        sys.exit(run_guarded(train) if EXECUTORS[executor_name].ends_process else train())
    except BaseException as error:
        if is_interruption(error) and (folder / "run.json").exists():
            click.echo(f"Interrupted; finished trials are kept.\nG{advice[1:]}", err=True)
            sys.exit(find_interruption_code())
        raise


def _train(
    study: StudySpec,
    folder: Path,
    is_new: bool,
    data_dir: Path | None,
    executor_name: str,
    address: str | None,
) -> int:
    """Start or open the run in `folder` and complete it; return the exit code."""
    stop_spinning()
    # Torch is imported here, so that mistakes in the options above are answered at once.
    import torch

    from bnbench.data import load_fashion_mnist
    from bnbench.environment import describe_environment
    from bnbench.models.runtimes.libtorch import find_binary
    from bnbench.training.engines import choose_threads, resolve_engines

    engines = resolve_engines(study)
    torch.set_num_threads(choose_threads(REFERENCE_ENGINE, study.threads))
    environment = describe_environment(study.devices, choose_threads("native", study.threads))
    store = None if is_new else RunStore.open(folder)
    if store is None:
        find_binary()
    elif differences := store.environment.list_differences(environment):
        raise RunError(
            f"{store.folder}: expected the machine and software the run started with, got that "
            f"{'; '.join(differences)}; start a new run, so that no results are mixed"
        )
    dataset = load_fashion_mnist(data_dir)
    check_against_data(study, len(dataset.train))
    with EXECUTORS[executor_name].open(address, study.threads) as executor:
        if store is None:
            data = DataRecord(dataset.name, len(dataset.train), len(dataset.test))
            store = RunStore.create(folder, study, engines, data, environment)
        return _complete_run(store, dataset, executor)


def _refuse_options(options: dict[str, Any]) -> None:
    """Refuse the options that would change the study of a resumed run."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise click.UsageError(
            f"--resume goes on with the run's own study, so it takes no {', '.join(given)}"
        )


def _apply_options(study: StudySpec, options: dict[str, Any]) -> StudySpec:
    """Change the fields of a study and its recipe that have an option of their name, if given."""
    given = {name: value for name, value in options.items() if value is not None}
    if study.tuning is not None and "learning_rate" in given:
        raise SpecError(
            f"learning_rate: expected none, since the {study.name} study chooses it for each "
            f"variant, got {given['learning_rate']:g}; leave it out or take another study"
        )
    if "variants" in given:
        by_name = {variant.name: variant for variant in study.variants}
        names = _split(given["variants"])
        given["variants"] = tuple(by_name.get(name) or find_variant(name) for name in names)
    if "seeds" in given:
        given["seeds"] = parse_seeds(given["seeds"])
    if "devices" in given:
        given["devices"] = tuple(_split(given["devices"]))
    of_recipe = {field.name for field in dataclasses.fields(study.recipe)} & given.keys()
    recipe = dataclasses.replace(study.recipe, **{name: given.pop(name) for name in of_recipe})
    return dataclasses.replace(study, recipe=recipe, **given)


def _name_resume_command(folder: Path, executor_name: str, address: str | None) -> str:
    words = ["bnbench", "run", "--resume", str(folder)]
    if executor_name != DEFAULT_EXECUTOR:
        words += ["--executor", executor_name]
    if address is not None:
        words += ["--address", address]
    return shlex.join(words)


def _complete_run(store: RunStore, dataset: Dataset, executor: Executor) -> int:
    """Run a run's missing trials, verify its models, write its report; return the exit code."""
    from rich.console import Console

    from bnbench.cli.progress import show_study
    from bnbench.training.study import run_study

    engines = ", ".join(f"{engine} on {device}" for device, engine in store.engines.items())
    click.echo(f"Run folder: {store.folder}; engine: {engines}", err=True)
    verifications: list[VerificationRecord] = []
    with show_study(Console(stderr=True)) as progress:
        records = run_study(store, dataset, progress, executor)
    if any(r.status == "finished" and r.trial.purpose == "score" for r in records):
        verifications = verify_models(store, records, dataset)
    show_report(store, records)
    verdict = show_verdict(verifications)
    failed = [r for r in records if r.status == "failed" and r.trial.purpose not in EXPLORING]
    for record in failed:
        click.echo(f"failed: {record.trial.key}: {record.reason}", err=True)
    return verdict or (TRIAL_FAILED_EXIT_CODE if failed else 0)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
