"""``bnbench gate``: its options."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
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
        from bnbench.cli.judging import certify_gate, replay_recording

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
    from bnbench.cli.judging import judge

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
