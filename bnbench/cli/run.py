"""What ``bnbench run`` does, step by step, and what it shows."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from bnbench.errors import DisagreementError, RunError, SpecError
from bnbench.networks import find_variant
from bnbench.records import AgreementRecord, DataRecord, VerificationRecord
from bnbench.specs import StudySpec, parse_seeds
from bnbench.store import RunStore
from bnbench.training.catalog import check_against_data, find_study

if TYPE_CHECKING:
    from bnbench.training.executors.interface import Executor

TRIAL_FAILED_EXIT_CODE = 1
_Verdicts = tuple[list[VerificationRecord], list[AgreementRecord]]


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


def verify_and_show(store: RunStore, data_dir: Path | None, runtimes: str | None) -> int:
    """Verify a run's models, bring its report up to date and print the verdict."""
    from bnbench.models.runtimes import RUNTIMES, choose_runtimes

    names = choose_runtimes(runtimes)
    if runtimes == "all":
        for name in names:
            if not RUNTIMES[name].is_installed:
                click.echo(f"{name}: not installed; {RUNTIMES[name].install} installs it", err=True)
        names = tuple(name for name in names if RUNTIMES[name].is_installed)

    from bnbench.data import load_fashion_mnist
    from bnbench.reporting.report import write_report
    from bnbench.reporting.terminal import print_agreement

    records, agreements = _verify(store, load_fashion_mnist(data_dir), names)
    print_agreement(write_report(store), Console())
    return _show_verdict(records, agreements)


def show_report(store: RunStore) -> None:
    """Write a run's report, print its table and say where it lies."""
    from bnbench.reporting.report import write_report
    from bnbench.reporting.terminal import print_content

    print_content(write_report(store), Console())
    for name in ("report.html", "report.md"):
        click.echo(f"Report: {store.folder / name}")


def show_comparison(first: RunStore, second: RunStore) -> None:
    """Print what two runs say of each other."""
    from bnbench.reporting.comparison import compare_runs, tabulate_comparison
    from bnbench.reporting.terminal import print_rows

    comparison = compare_runs(first, second)
    print_rows(tabulate_comparison(comparison), Console())
    for condition in comparison.conditions or ("nothing that is on record",):
        click.echo(f"differs: {condition}")
    for refusal in comparison.refusals:
        click.echo(f"not compared: {refusal}")
    click.echo(
        "Times of two runs were not measured side by side: between runs, a machine's speed alone "
        "may differ by as much."
    )


def _run(store: RunStore, dataset: Any, executor: Executor, options: str) -> int:
    from bnbench.cli.progress import StudyProgress
    from bnbench.models.runtimes import DEFAULT_RUNTIMES
    from bnbench.training.study import run_study

    engines = ", ".join(f"{engine} on {device}" for device, engine in store.engines.items())
    click.echo(f"Run folder: {store.folder}; engine: {engines}", err=True)
    verdicts: _Verdicts = ([], [])
    try:
        with StudyProgress(Console(stderr=True)) as progress:
            records = run_study(store, dataset, progress, executor)
        if any(r.status == "finished" and r.trial.purpose == "score" for r in records):
            verdicts = _verify(store, dataset, DEFAULT_RUNTIMES)
        show_report(store)
    except KeyboardInterrupt:
        click.echo(
            "Interrupted; finished trials are kept. Go on with: "
            f"bnbench run --resume {shlex.quote(str(store.folder))}{options}",
            err=True,
        )
        raise click.exceptions.Abort from None
    verdict = _show_verdict(*verdicts)
    failed = [r for r in records if r.status == "failed" and r.trial.purpose != "tune"]
    for record in failed:
        click.echo(f"failed: {record.trial.key}: {record.reason}", err=True)
    return verdict or (TRIAL_FAILED_EXIT_CODE if failed else 0)


def _verify(store: RunStore, dataset: Any, runtimes: Sequence[str]) -> _Verdicts:
    """Hold all models against their manifests in C++, and every runtime against binary64."""
    from bnbench.cli.progress import show_models
    from bnbench.models.verification import list_models, verify_manifests, verify_runtimes

    records = verify_manifests(store, dataset.folder)
    test = dataset.test
    with show_models(Console(stderr=True), len(list_models(store))) as on_model:
        agreements = verify_runtimes(
            store, test.images.numpy(), test.labels.numpy(), dataset.folder, runtimes, on_model
        )
    return records, agreements


def _show_verdict(records: list[VerificationRecord], agreements: list[AgreementRecord]) -> int:
    """Print what C++ and the other runtimes say of the models; return the exit code."""
    for record in records:
        if record.status != "agreed":
            click.echo(f"{record.model}: {record.status}: {record.reason}", err=True)
    for agreement in agreements:
        if agreement.status != "agreed":
            click.echo(
                f"{agreement.model} in {agreement.runtime}: {agreement.status}: {agreement.reason}",
                err=True,
            )
    if not records:
        click.echo("C++ verdict: none, since no trial finished")
        return 0
    num_off = sum(agreement.status != "agreed" for agreement in agreements)
    names = ", ".join(dict.fromkeys(agreement.runtime for agreement in agreements))
    click.echo(
        f"Runtimes ({names}): "
        + (f"{num_off} of {len(agreements)} evaluations disagree" if num_off else "all agree")
        + " with the models in binary64"
    )
    num_wrong = sum(record.status != "agreed" for record in records)
    if num_wrong:
        click.echo(f"C++ verdict: {num_wrong} of {len(records)} models disagree or are unusable")
    else:
        predictions = sum(record.total or 0 for record in records)
        click.echo(
            f"C++ verdict: all {len(records)} models agree; each of {predictions:,} predictions is "
            "the same in Python and in C++"
        )
    return DisagreementError.exit_code if num_wrong or num_off else 0


def _name_run_folder(study: StudySpec) -> Path:
    return Path("runs") / f"{study.name}-{datetime.now():%Y%m%d-%H%M%S}"


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
