"""``bnbench run``: its options, what they change in a study or series, and how it ends."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bnbench.cli.exit_codes import describe_disk_error, find_interruption_code, is_interruption
from bnbench.cli.guard import run_guarded
from bnbench.cli.run_printer import RunPrinter
from bnbench.data_names import DATA_SETS, resolve_data
from bnbench.errors import RunError, SpecError
from bnbench.library.job import Job, complete
from bnbench.library.loggers import LOGGERS, check_loggers, open_loggers
from bnbench.library.observer import Observers
from bnbench.series import SeriesSpec
from bnbench.specs import ENGINE_NAMES, StudySpec, parse_seeds
from bnbench.techniques import find_variant
from bnbench.training.catalog import SERIES, find_study
from bnbench.training.executors import DEFAULT_EXECUTOR, EXECUTORS
from bnbench.training.identify import identify_own_code

DEFAULT_STUDY = "notebook"


@click.command()
@click.option(
    "--study",
    "study_name",
    help="notebook (one learning rate), fair (a series, from the notebook's recipe to the best), "
    "fair/STUDY (one study of it), techniques (each tuned alone), variance (where the spread comes "
    "from), a TOML file, or a run's run.json.  "
    f"[default: {DEFAULT_STUDY}]",
)
@click.option(
    "--combine",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Study the combination of a tuned run's best techniques.",
)
@click.option(
    "--variants",
    help="Networks to compare, such as baseline,batchnorm,layernorm. Your own network is "
    "FILE.py:CALLABLE or package.module:CALLABLE, named cnn=FILE.py:CALLABLE if you like.",
)
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
    "--formats",
    help="Formats of the exported models: pt, or pt,pt2 for torch.export archives too.  "
    "[default: pt]",
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
    "--data",
    metavar="NAME|PATH",
    help=f"{', '.join(DATA_SETS)}; an .npz file with x_train, y_train, x_test and y_test; a folder "
    "of IDX files; or FILE.py:FUNCTION, which returns these arrays.  [default: the study's]",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of FashionMNIST, raw or .gz.  [default: $BNBENCH_DATA, or found or fetched]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="New folder for the run or series.  [default: runs/STUDY-TIME]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Complete an unfinished run or series.",
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
@click.option(
    "--log",
    "loggers",
    type=click.Choice(list(LOGGERS)),
    multiple=True,
    help="Show the curves live, then the answer and the figures, elsewhere too; may be repeated.",
)
def run(
    study_name: str | None,
    combine: Path | None,
    data_dir: Path | None,
    out: Path | None,
    resume: Path | None,
    executor_name: str,
    address: str | None,
    no_timing: bool | None,
    loggers: tuple[str, ...],
    **options: Any,
) -> None:
    """Train all trials of a study or series, export and verify them, and write the report.

    Options change the study given by --study, or all studies of a series. Each trial is saved as
    soon as it ends: --resume RUN continues an interrupted run or series, with the same result as
    without the interruption.
    """
    if resume is None:
        name = study_name or DEFAULT_STUDY
        options["num_pairs"] = 0 if no_timing else None
        asked = (
            _apply_to_all(SERIES[name], options)
            if name in SERIES and combine is None
            else _apply_options(_find_study(name, study_name, combine), options)
        )
        folder = out or Path("runs") / f"{asked.name}-{datetime.now():%Y%m%d-%H%M%S}"
        job = Job(folder, asked, data_dir, executor_name=executor_name, address=address)
    else:
        of_study = {"study": study_name, "combine": combine, "out": out, "no_timing": no_timing}
        moved = options.pop("data")  # the same data may lie elsewhere
        _refuse_options({**of_study, **options})
        place = None if moved is None else resolve_data(moved, Path())
        job = Job(resume, None, data_dir, place, executor_name, address)
    job.check()
    check_loggers(loggers)
    advice = f"go on with: {_name_resume_command(job, loggers)}"

    def work() -> int:
        try:
            return _complete(job, loggers)
        except OSError as error:
            text = describe_disk_error(error, f"make space, then {advice}")
            if text is None or not job.has_begun:
                raise
            raise RunError(text) from None

    try:
        sys.exit(run_guarded(work) if EXECUTORS[executor_name].ends_process else work())
    except BaseException as error:
        if is_interruption(error) and job.has_begun:
            click.echo(f"Interrupted; finished trials are kept.\nG{advice[1:]}", err=True)
            sys.exit(find_interruption_code())
        raise


def _complete(job: Job, loggers: Iterable[str]) -> int:
    """Complete a job, print what it comes to, and return the exit code."""
    from bnbench.library.progress import show_progress

    printer = RunPrinter()
    complete(job, Observers((show_progress(), printer, *open_loggers(loggers))))
    return printer.exit_code


def _find_study(name: str, study_name: str | None, combine: Path | None) -> StudySpec:
    """Find the study of a new run, or make the one that combines the techniques of another."""
    if combine is None:
        return find_study(name)
    if study_name is not None:
        raise click.UsageError(f"--combine makes a study of its own, so it takes no --study {name}")
    # Imported here, since it needs NumPy.
    from bnbench.store import RunStore
    from bnbench.training.combination import make_combination_study

    return make_combination_study(RunStore.open(combine))


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
    if "data" in given:
        given["data"] = resolve_data(given["data"], Path())
    if "seeds" in given:
        given["seeds"] = parse_seeds(given["seeds"])
    if "devices" in given:
        given["devices"] = tuple(_split(given["devices"]))
    if "formats" in given:
        given["formats"] = tuple(_split(given["formats"]))
    if "num_pairs" in given:
        given["timing"] = dataclasses.replace(study.timing, num_pairs=given.pop("num_pairs"))
    of_recipe = {field.name for field in dataclasses.fields(study.recipe)} & given.keys()
    recipe = dataclasses.replace(study.recipe, **{name: given.pop(name) for name in of_recipe})
    return identify_own_code(dataclasses.replace(study, recipe=recipe, **given), Path())


def _apply_to_all(series: SeriesSpec, options: dict[str, Any]) -> SeriesSpec:
    """Change every study of a series, unless an option is about what tells them apart."""
    for name, value in options.items():
        values = {(getattr(s.recipe, name, None), s.tuning is None) for s in series.studies}
        differ = len(values if name == "learning_rate" else {each for each, _ in values}) > 1
        if value is not None and differ:
            raise SpecError(
                f"{name}: expected none, since the studies of the {series.name} series differ in "
                f"it, got {value:g}; run one study, such as {series.name}/{series.studies[1].name}"
            )
    studies = tuple(_apply_options(study, options) for study in series.studies)
    return dataclasses.replace(series, studies=studies)


def _name_resume_command(job: Job, loggers: Iterable[str]) -> str:
    words = ["bnbench", "run", "--resume", str(job.folder)]
    if job.executor_name != DEFAULT_EXECUTOR:
        words += ["--executor", job.executor_name]
    if job.address is not None:
        words += ["--address", job.address]
    if job.data is not None:
        words += ["--data", job.data]
    for name in loggers:
        words += ["--log", name]
    return shlex.join(words)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
