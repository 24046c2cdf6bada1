import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.peers.catalog import PEERS
from bench.peers.measure import MeasurementSpec, PeerRecord
from bench.peers.process import Status
from bench.peers.report import PeersReport, find_tuning_variables, write_report
from bench.peers.summary import PeerSummary, describe_native, summarize_peers
from bench.peers.table import build_table, list_problems, render_markdown_table
from bnbench.records import EnvironmentRecord


def make_record(
    name: str,
    seconds: tuple[float, ...] = (),
    accuracy: float | None = 0.7,
    status: Status = "measured",
    reason: str | None = None,
    first_epoch_seconds: float | None = None,
) -> PeerRecord:
    peer = PEERS[name]
    accuracies = () if accuracy is None else (accuracy,) * peer.num_trials
    return PeerRecord(peer, "baseline", status, reason, first_epoch_seconds, seconds, accuracies)


# The second round is twice as slow for all; the third one for the native engine and JAX alone.
REFERENCE = make_record("reference", (0.6, 1.2, 0.6))
LIMIT = make_record("limit", (0.08, 0.16, 0.08), accuracy=None)
NATIVE = make_record("native-32", (0.1, 0.2, 0.2), first_epoch_seconds=4.0)
JAX = make_record("jax-8", (0.15, 0.3, 0.3), first_epoch_seconds=10.4)
NOTEBOOK = make_record("notebook", (3.0, 6.0, 3.0))
RECORDS = [NOTEBOOK, REFERENCE, JAX, NATIVE, LIMIT]


def summarize(*records: PeerRecord, num_epochs: int = 11) -> dict[str, PeerSummary]:
    return {row.record.peer.name: row for row in summarize_peers(records, num_epochs)}


def test_figures_are_medians_and_ratios_are_taken_within_rounds() -> None:
    rows = summarize(*RECORDS)
    native = rows["native-32"]
    assert native.median_seconds == pytest.approx(0.2)
    assert native.quartiles == pytest.approx((0.15, 0.2))
    assert native.speed_up == pytest.approx(6)  # of 6, 6 and 3
    assert native.share_of_limit == pytest.approx(0.8)  # of 0.8, 0.8 and 0.4
    assert rows["reference"].speed_up == pytest.approx(1)
    assert rows["limit"].share_of_limit == pytest.approx(1)
    assert rows["limit"].accuracy is None
    assert all(row.problem is None for row in rows.values())


def test_compiling_is_what_the_first_epoch_took_beyond_a_later_one() -> None:
    rows = summarize(*RECORDS)
    # Eight trials of 0.3 s take 2.4 s; 32 of 0.2 s take longer than the first epoch did.
    assert rows["jax-8"].compile_seconds == pytest.approx(8.0)
    assert rows["native-32"].compile_seconds == 0.0
    assert rows["reference"].compile_seconds is None


@pytest.mark.parametrize(
    ("accuracy", "num_epochs", "is_failure"),
    [
        (0.66, 11, False),
        (0.74, 11, False),
        (0.64, 11, True),
        (0.80, 11, True),
        (0.64, 2, False),
        (0.10, 2, True),
        (float("nan"), 11, True),
    ],
)
def test_a_peer_that_does_not_learn_as_the_reference_does_fails(
    accuracy: float, num_epochs: int, is_failure: bool
) -> None:
    peer = make_record("jax-8", (0.1, 0.1, 0.1), accuracy)
    row = summarize(REFERENCE, LIMIT, peer, num_epochs=num_epochs)["jax-8"]
    assert row.is_failure is is_failure
    if is_failure:
        assert row.problem is not None
        assert "70.0 %, got" in row.problem


def test_without_the_reference_there_is_no_ratio_and_no_verdict() -> None:
    failed = make_record("reference", (0.6,), None, "failed", "out of memory")
    rows = summarize(failed, make_record("limit", (0.08,), None), make_record("jax-1", (0.2,)))
    assert rows["jax-1"].speed_up is None
    assert rows["jax-1"].share_of_limit == pytest.approx(0.4)
    assert rows["jax-1"].quartiles is None
    assert "the reference engine has none" in (rows["jax-1"].problem or "")
    assert rows["reference"].median_seconds is None


def test_what_is_absent_is_no_failure_but_what_failed_is() -> None:
    rows = summarize(
        REFERENCE,
        make_record("keras-jax", (), None, "not installed", "pip install keras"),
        make_record("native-1", (), None, "not available", "ImportError: no _native"),
        make_record("jax-1", (0.1,), None, "failed", "RuntimeError: boom"),
    )
    assert rows["keras-jax"].problem == "not installed: pip install keras"
    assert rows["native-1"].problem == "not available: ImportError: no _native"
    assert rows["jax-1"].problem == "failed: RuntimeError: boom"
    assert [name for name, row in rows.items() if row.is_failure] == ["jax-1"]


def test_the_markdown_table_has_a_row_a_peer() -> None:
    missing = make_record("sklearn", (), None, "not installed", "pip install scikit-learn")
    broken = make_record("jax-1", (), None, "failed", "Error: a | b")
    lines = render_markdown_table(
        "baseline", summarize_peers([*RECORDS, missing, broken], 11)
    ).splitlines()
    assert lines[0] == (
        "| peer | trials | seconds | quartiles | speed | limit | accuracy | compile |"
    )
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert lines[5] == (
        "| bnbench native | 32 | 0.200 | 0.150-0.200 | 6.00x | 80 % | 70.0 % | 0.0 s |"
    )
    assert lines[6] == (
        "| limit (torch's sgemm) | 1 | 0.080 | 0.080-0.120 | 7.50x | 100 % | - | - |"
    )
    assert lines[7] == (
        "| scikit-learn MLP (not installed: pip install scikit-learn) | 1 | - | - | - | - | - | - |"
    )
    assert lines[8].startswith("| JAX scan (**failed: Error: a \\| b**) | 1 | - |")


def test_the_table_fits_a_terminal_and_problems_stand_below_it() -> None:
    broken = make_record("jax-1", (), None, "failed", "Error: [bold]x[/bold]")
    slow = make_record("jax-cores-32", (4.321, 5.432, 5.432))
    rows = summarize_peers([*RECORDS, broken, slow], 11)
    console = Console(file=io.StringIO(), width=80)
    console.print(build_table("baseline", rows))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "0.150-0.200" in text
    assert "JAX scan, one a core" in text
    assert "4.877-5.432" in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert list_problems("baseline", rows) == ["jax-1: failed: Error: [bold]x[/bold]"]


def test_the_native_engine_with_most_trials_is_described_in_words() -> None:
    fewer = make_record("native-8", (0.05, 0.1, 0.1))
    alone = [make_record("native-1", (0.25, 0.5, 0.5)), make_record("jax-1", (0.5, 1.0, 1.0))]
    rows = summarize_peers([*RECORDS, fewer, *alone], 11)
    assert describe_native(rows, "baseline") == [
        "baseline: native with 32 trials is 30.00 times as fast as the notebook loop",
        "baseline: native with 32 trials is 6.00 times as fast as the reference engine",
        "baseline: native with 32 trials is 1.50 times as fast as the fastest JAX peer (jax-8)",
        "baseline: native with 32 trials reaches 80 % of the limit",
        "baseline: native with 1 trial is 2.00 times as fast as JAX with 1 trial",
    ]
    assert describe_native(rows, "batchnorm") == []


def test_a_peer_that_does_not_learn_is_never_quoted() -> None:
    native = make_record("native-8", (0.2, 0.4, 0.4))
    idle = [
        make_record("native-32", (0.01, 0.01, 0.01), accuracy=0.1),
        make_record("jax-32", (0.01, 0.01, 0.01), accuracy=0.1),
    ]
    rows = summarize_peers([NOTEBOOK, REFERENCE, LIMIT, JAX, native, *idle], 11)
    sentences = describe_native(rows, "baseline")
    assert len(sentences) == 4
    assert all("native with 8 trials" in sentence for sentence in sentences)
    assert any("(jax-8)" in sentence for sentence in sentences)


def test_the_files_hold_the_conditions_and_every_round(
    tmp_path: Path, environment: EnvironmentRecord
) -> None:
    report = PeersReport(
        "python -m bench.peers --rounds 3",
        MeasurementSpec(rounds=3),
        ("baseline",),
        environment,
        0.5,
        find_tuning_variables({"OMP_NUM_THREADS": "1", "TF_CLI_CONFIG_FILE": "/home/someone"}),
        summarize_peers(RECORDS, 4),
    )
    json_file = write_report(report, tmp_path / "new" / "peers.md")
    assert json_file == tmp_path / "new" / "peers.json"
    markdown = (tmp_path / "new" / "peers.md").read_text()
    assert "a test's imagination, 2 cores, Linux; load average before the start 0.50" in markdown
    assert "Versions: bnbench 0, torch 0; commit abc123" in markdown
    assert "Command: python -m bench.peers --rounds 3" in markdown
    assert "Environment variables: OMP_NUM_THREADS=1\n" in markdown
    assert "after 4 epochs" in markdown
    assert "baseline 12.89 GFLOP" in markdown
    assert "| bnbench native | 32 | 0.200 |" in markdown
    content = json.loads(json_file.read_text())
    assert content["format_version"] == 1
    assert content["environment"]["cpu"] == "a test's imagination"
    assert content["flops_per_epoch"] == {"baseline": 12_894_720_000}
    native = next(row for row in content["peers"] if row["peer"] == "native-32")
    assert native["round_seconds"] == [0.1, 0.2, 0.2]
    assert native["share_of_limit"] == pytest.approx(0.8)
