import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.conftest import FinishedRun, run_bnbench

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.xdist_group("run")]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_everything_it_promises(finished_run: FinishedRun) -> None:
    names = {path.name for path in finished_run.folder.iterdir()}
    assert names >= {
        "run.json",
        "environment.json",
        "trials.jsonl",
        "epochs.csv",
        "summary.json",
        "verification.csv",
        "certificates.csv",
        "inspection.json",
        "losses.png",
        "mistakes.png",
        "disagreements.csv",
        "activations.csv",
        "gradients.png",
        "report.md",
        "report.html",
        "accuracy.png",
        "accuracy.csv",
        "models",
    }
    assert not [name for name in names if name.startswith(".")]
    assert sorted(path.name for path in (finished_run.folder / "models").iterdir()) == sorted(
        f"{variant}-seed{seed}-cpu.{suffix}"
        for variant in ("baseline", "batchnorm")
        for seed in (0, 1)
        for suffix in ("pt", "json")
    )


def test_the_run_ends_with_the_table_the_reports_place_and_the_verdict(
    finished_run: FinishedRun,
) -> None:
    output = finished_run.process.stdout
    assert "after epoch 1" in output
    assert f"Report: {finished_run.folder / 'report.md'}" in output
    last = output.strip().splitlines()[-1]
    assert last.startswith(
        "Verified: 4 models in eager, torchscript, libtorch: all 120,000 predictions agree"
    )


def test_without_a_terminal_progress_is_plain_lines(finished_run: FinishedRun) -> None:
    lines = finished_run.process.stderr.splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == [
        "[training 1/4] baseline-seed0-cpu",
        "[training 2/4] batchnorm-seed0-cpu",
        "[training 3/4] batchnorm-seed1-cpu",
        "[training 4/4] baseline-seed1-cpu",
    ]
    assert "\x1b" not in finished_run.process.stderr


def test_correct_counts_in_cpp_are_those_of_the_last_epoch(finished_run: FinishedRun) -> None:
    epochs = {
        f"{row['variant']}-seed{row['seed']}-{row['device']}.pt": float(row["test_accuracy"])
        for row in read_rows(finished_run.folder / "epochs.csv")
    }
    verification = read_rows(finished_run.folder / "verification.csv")
    assert list(verification[0]) == [
        "model",
        "variant",
        "runtime",
        "version",
        "correct",
        "total",
        "accuracy",
        "expected_correct",
        "differing",
        "unexplained",
        "max_abs_diff",
        "max_bound_share",
        "status",
        "reason",
    ]
    assert len(verification) == 4 * 3
    for row in verification:
        assert float(row["accuracy"]) == epochs[row["model"]]
        assert int(row["correct"]) == int(row["expected_correct"])
        assert (row["differing"], row["status"]) == ("0", "agreed")


def test_every_runtime_agrees_and_nearly_all_predictions_are_certified(
    finished_run: FinishedRun,
) -> None:
    rows = read_rows(finished_run.folder / "verification.csv")
    assert {row["runtime"] for row in rows} == {"eager", "torchscript", "libtorch"}
    assert all(float(row["max_bound_share"]) < 0.5 for row in rows)
    certificates = read_rows(finished_run.folder / "certificates.csv")
    assert len(certificates) == 4
    assert all(int(row["certified"]) >= 9_900 for row in certificates)
    assert (
        "Certified means the same prediction in any runtime that rounds each"
        in (finished_run.folder / "report.md").read_text()
    )


def test_batch_normalization_is_ahead_after_one_epoch_at_the_notebooks_rate(
    finished_run: FinishedRun,
) -> None:
    summary = json.loads((finished_run.folder / "summary.json").read_text())
    assert summary["accuracy"]["contrasts"][0]["differences"][0]["value"] > 0.2


def test_the_report_is_rebuilt_to_the_byte_without_torch(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished_run.folder, copy)
    derived = ["summary.json", "report.md", "report.html", "epochs.csv", "accuracy.png"]
    derived += ["mistakes.png", "disagreements.png", "gradients.csv"]
    before = {name: (copy / name).read_bytes() for name in derived}
    for name in derived:
        (copy / name).unlink()
    (tmp_path / "torch.py").write_text("raise ImportError('the report must not need torch')")
    again = run_bnbench("report", copy, env={"PYTHONPATH": str(tmp_path)})
    assert again.returncode == 0, again.stderr
    assert {name: (copy / name).read_bytes() for name in derived} == before


def test_a_finished_run_can_be_resumed_without_changing_its_rows(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished_run.folder, copy)
    before = (copy / "epochs.csv").read_bytes()
    again = run_bnbench("run", "--resume", copy)
    assert again.returncode == 0, again.stderr
    assert (copy / "epochs.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "position"), [("batchnorm-seed1-cpu.pt", 5000), ("batchnorm-seed1-cpu.json", 900)]
)
def test_a_flipped_byte_is_found_by_verify_which_exits_with_5(
    finished_run: FinishedRun, tmp_path: Path, name: str, position: int
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished_run.folder, copy)
    path = copy / "models" / name
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    again = run_bnbench("verify", copy)
    assert again.returncode == 5
    assert "batchnorm-seed1-cpu.pt in eager, torchscript, libtorch: unusable: " in again.stderr
    rows = {row["model"]: row for row in read_rows(copy / "verification.csv")}
    assert rows["batchnorm-seed1-cpu.pt"]["correct"] == ""
    assert [row["status"] for row in rows.values()].count("agreed") == 3
    assert "give in 3 evaluations of 4 exported models" in (copy / "report.md").read_text()


def test_a_run_in_which_everything_diverges_says_so_and_exits_with_1(tmp_path: Path) -> None:
    run = run_bnbench(
        "run",
        *("--seeds", "0", "--epochs", 1, "--variants", "baseline", "--learning-rate", "1e20"),
        *("--engine", "reference", "--out", tmp_path / "run"),
    )
    assert run.returncode == 1, run.stderr
    assert "failed: baseline-seed0-cpu: diverged: training loss is nan in epoch 1" in run.stderr
    assert "No trial finished" in (tmp_path / "run" / "report.md").read_text()
