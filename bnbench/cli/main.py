"""The commands of ``bnbench``. Each imports what it needs when it runs: help answers at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

import bnbench
from bnbench.errors import BnbenchError

INTERRUPTED_EXIT_CODE = 130


def main() -> None:
    """Run the program; every expected error is a line or two and an exit code."""
    try:
        cli.main(prog_name="bnbench", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED_EXIT_CODE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BnbenchError as error:
        click.echo(f"bnbench: error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("bnbench: interrupted", err=True)
        sys.exit(INTERRUPTED_EXIT_CODE)
    except BrokenPipeError:
        # Whoever read our output (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED_EXIT_CODE)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(bnbench.__version__, prog_name="bnbench")
def cli() -> None:
    """What does batch normalization do to the training of a small network?

    'bnbench run' trains the networks across seeds, exports each to TorchScript, has the C++
    program bnbench-eval evaluate it again, and writes a report.

    'bnbench gate' tells whether a code change made something slower or less accurate.

    Exit codes: 0 all is well; 1 a trial failed, or the gate found worse; 2 wrong usage or input;
    3 the gate is undecided; 5 runtimes disagree; 130 interrupted.
    """


@cli.command()
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
    from bnbench.cli.run import ExecutorChoice, resume_run, start_run

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


@cli.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
def report(run_folder: Path) -> None:
    """Rebuild the report of RUN from what is stored in it."""
    from bnbench.cli.run import show_report
    from bnbench.store import RunStore

    show_report(RunStore.open(run_folder))


@cli.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--runtimes",
    metavar="all|NAME,...",
    help="Runtimes to compare.  [default: eager,torchscript,libtorch,float64]",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of FashionMNIST.")
def verify(run_folder: Path, runtimes: str | None, data_dir: Path | None) -> None:
    """Hold every model of RUN against its manifest in C++, and across runtimes against binary64.

    Writes RUN/verification.csv, certificates.csv and agreement.csv and brings the report up to
    date; exit code 5 if any model disagrees in any runtime. 'all' takes every runtime that is
    installed and names those that are not.
    """
    from bnbench.cli.run import verify_and_show
    from bnbench.store import RunStore

    sys.exit(verify_and_show(RunStore.open(run_folder), data_dir, runtimes))


@cli.command()
@click.argument("model", metavar="MODEL.pt", type=click.Path(path_type=Path))
@click.option(
    "--manifest", type=click.Path(path_type=Path), help="Its manifest.  [default: MODEL.json]"
)
@click.option(
    "--logits",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="What a runtime gave for the test images, in their order: shape (10000, 10).",
)
@click.option("--correct", type=int, help="How many images that runtime says are correct.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of FashionMNIST.")
def diagnose(
    model: Path,
    manifest: Path | None,
    logits: Path | None,
    correct: int | None,
    data_dir: Path | None,
) -> None:
    """Say what is wrong with MODEL.pt, or with what any runtime made of it.

    The file is held against its manifest, and the logits of --logits, which may come from any
    program on any machine, against what rounding can explain. A fault is named.

    Exit codes: 0 all is well; 5 there is a fault; 2 the input can't be used.
    """
    from bnbench.cli.diagnose import diagnose_model

    if correct is not None and logits is None:
        raise click.UsageError("--correct is held against predictions, so it needs --logits")
    sys.exit(diagnose_model(model, manifest, logits, correct, data_dir))


@cli.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder to look in first.")
def data(data_dir: Path | None) -> None:
    """Fetch FashionMNIST if it is not here yet, check every byte, and describe it."""
    from bnbench.data import CLASS_NAMES, CONTENT_SHA256, load_fashion_mnist

    dataset = load_fashion_mnist(data_dir)
    click.echo(f"FashionMNIST from {dataset.source}, in {dataset.folder}")
    for part, images in (("training", dataset.train), ("test", dataset.test)):
        pixels = images.images.float().div(255)
        click.echo(
            f"{part}: {len(images)} images of 28 x 28, pixels with mean {pixels.mean():.4f} and "
            f"standard deviation {pixels.std():.4f}, "
            f"{', '.join(str(n) for n in sorted(set(images.labels.bincount().tolist())))} "
            "images a class"
        )
    click.echo(f"classes: {', '.join(CLASS_NAMES)}")
    click.echo(f"all {len(CONTENT_SHA256)} files have the SHA-256 they must have")


@cli.command()
@click.argument("first", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("second", metavar="RUN_B", type=click.Path(path_type=Path))
def compare(first: Path, second: Path) -> None:
    """Hold RUN_B against RUN_A: another machine, version of torch, or recipe.

    Both must have trained a variant from the same seeds on the same data.
    """
    from bnbench.cli.run import show_comparison
    from bnbench.store import RunStore

    show_comparison(RunStore.open(first), RunStore.open(second))


@cli.command()
@click.argument("suite", nargs=-1)
@click.option("--base", metavar="REV", help="The revision to compare with, such as main.")
@click.option(
    "--head",
    metavar="REV",
    default="worktree",
    show_default=True,
    help="The revision to judge; worktree is the files as they are.",
)
@click.option(
    "--setup",
    metavar="COMMAND",
    help="Builds a revision, in its checkout; what it installs into $GATE_SITE comes first.",
)
@click.option(
    "--accuracy",
    "accuracy_command",
    metavar="COMMAND",
    help="Trains in a revision and leaves $GATE_OUT/epochs.csv, such as "
    "'python -m bnbench run --seeds 0-9 --out $GATE_OUT'.",
)
@click.option("--max-slowdown", type=float, help="Per cent that must not pass.  [default: 5]")
@click.option("--max-accuracy-loss", type=float, help="Points that must not pass.  [default: 0.5]")
@click.option("--false-alarms", type=float, help="Per cent of harmless changes.  [default: 1]")
@click.option("--minutes", type=float, help="Time to measure.  [default: 3; of a recording: 20]")
@click.option("--cache", "cache_folder", type=click.Path(path_type=Path), help="For checkouts.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the summary here.")
@click.option("--json", type=click.Path(path_type=Path), help="Write all figures here.")
@click.option(
    "--action-benchmark", type=click.Path(path_type=Path), help="For github-action-benchmark."
)
@click.option("--bencher", type=click.Path(path_type=Path), help="Bencher Metric Format.")
@click.option("--history", type=click.Path(path_type=Path), help="Append the result to this file.")
@click.option(
    "--certify", is_flag=True, help="Measure the gate's own error rates on head against itself."
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path),
    default=Path("runs/gate-recording.jsonl"),
    show_default=True,
    help="Of --certify; goes on where it was interrupted.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    help="Give the error rates of this recording, and measure nothing.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("docs"),
    show_default=True,
    help="Folder of gate-error-rates.md and .json.",
)
def gate(
    suite: tuple[str, ...],
    base: str | None,
    head: str,
    setup: str | None,
    accuracy_command: str | None,
    cache_folder: Path | None,
    markdown: Path | None,
    json: Path | None,
    action_benchmark: Path | None,
    bencher: Path | None,
    history: Path | None,
    certify: bool,
    recording: Path,
    replay: Path | None,
    out: Path,
    minutes: float | None,
    **options: float | None,
) -> None:
    """Did a change make the benchmarks slower, or the networks less accurate?

    SUITE is what pytest is to collect, in both revisions: paths and options (after --), such as
    'bench -- -k training'. Both are measured side by side, at once, in short rounds in
    several pairs of processes, until every benchmark is decided or the time is spent.

    Exit codes: 0 nothing is worse; 1 something is; 2 wrong usage or input; 3 undecided.
    """
    from bnbench.gate.specs import make_gate_spec

    if certify or replay is not None:
        spec = make_gate_spec(**options)
        from bnbench.cli.gate import certify_gate, replay_recording

        if replay is not None:
            replay_recording(replay, spec, out)
            return
        certify_gate(
            head,
            suite,
            spec,
            minutes=20.0 if minutes is None else minutes,
            setup=setup,
            cache_folder=cache_folder,
            recording_file=recording,
            out=out,
        )
        return
    spec = make_gate_spec(minutes=minutes, **options)
    if base is None:
        raise click.UsageError("expected --base, the revision to compare with, such as main")
    from bnbench.cli.gate import judge

    outputs = {
        "markdown": markdown,
        "json": json,
        "action_benchmark": action_benchmark,
        "bencher": bencher,
    }
    sys.exit(
        judge(
            base,
            head,
            suite,
            spec,
            setup=setup,
            accuracy_command=accuracy_command,
            cache_folder=cache_folder,
            outputs=outputs,
            history_file=history,
        )
    )


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--figure", type=click.Path(path_type=Path), help="Draw to this .png or .svg.")
@click.option(
    "--fail-recent",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Exit with 1 if something got slower within the last N results.",
)
def history(files: tuple[Path, ...], figure: Path | None, fail_recent: int) -> None:
    """Find changes, and slow drift, in benchmarks over commits.

    FILES are histories of 'bnbench gate --history', or JSON of pytest-benchmark, oldest first.
    """
    from bnbench.cli.history import show_history

    sys.exit(show_history(files, figure, fail_recent))


def _was_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE
