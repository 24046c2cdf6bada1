"""The page on own networks: a newcomer's files, trained, tuned, exported, verified and reported."""

import csv
import json
import re
import subprocess
from pathlib import Path

import pytest

from bnbench.data import Dataset
from bnbench.models.runtimes.libtorch import find_binary
from bnbench.training.catalog import read_study_file
from bnbench.training.own_check import check_own_code
from tests.end_to_end.conftest import run_bnbench

PAGE = Path(__file__).parents[2] / "docs" / "own-network.md"


def write_page(folder: Path) -> None:
    """Write the page's files."""
    text = PAGE.read_text(encoding="utf-8")
    for language, name in (("python", "my_nets.py"), ("toml", "cnn.toml")):
        (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        (folder / name).write_text(block)


def test_the_page_is_short_and_its_study_passes_the_check(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) < 40
    write_page(tmp_path)
    study = read_study_file(tmp_path / "cnn.toml")
    assert [code.label for code in study.own_codes] == ["torch.optim:NAdam", "my_nets.py:SmallCNN"]
    check_own_code(study, synthetic_dataset)


@pytest.mark.real_data
@pytest.mark.slow
def test_the_pages_commands_train_tune_export_verify_and_report(tmp_path: Path) -> None:
    write_page(tmp_path)
    command = ["run", "--study", "cnn.toml", "--out", "runs/cnn"]
    assert f"bnbench {' '.join(command)}\n" in PAGE.read_text(encoding="utf-8")
    process = run_bnbench(*command, "--seeds", "0-1", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert (
        "engine: reference on cpu (the native engine leaves own networks and optimizers "
        "(torch.optim:NAdam, my_nets.py:SmallCNN) to it)"
    ) in process.stderr.splitlines()[0]
    assert "Verified: 4 models in eager, torchscript, libtorch: all 120,000" in process.stdout

    run = tmp_path / "runs" / "cnn"
    with (run / "epochs.csv").open(newline="") as file:
        accuracies = [float(row["test_accuracy"]) for row in csv.DictReader(file)]
    assert len(accuracies) == 4
    assert min(accuracies) > 0.75
    rates = json.loads((run / "rates.json").read_text())
    assert {rate["variant"] for rate in rates} == {"baseline", "cnn"}
    with (run / "certificates.csv").open(newline="") as file:
        status = {row["variant"]: row["status"] for row in csv.DictReader(file)}
    assert status == {"baseline": "bounded", "cnn": "not covered"}
    report = (run / "report.md").read_text()
    assert "| cnn | my_nets.py:SmallCNN(width=8) | 3,570 |" in report
    assert "gradient of first.0" in (run / "report.html").read_text()

    (tmp_path / "my_nets.py").unlink()
    model = run / "models" / "cnn-seed0-cpu.pt"
    in_cpp = subprocess.run([str(find_binary()), str(model)], capture_output=True, text=True)
    assert in_cpp.returncode == 0, in_cpp.stderr
    assert "manifest  agrees" in in_cpp.stdout
    again = run_bnbench("verify", run)  # by the copy in the run's folder
    assert again.returncode == 0, again.stderr
    resumed = run_bnbench("run", "--resume", run)
    assert resumed.returncode == 0, resumed.stderr
    (tmp_path / "my_nets.py").write_text("# another file\n")
    refused = run_bnbench("run", "--resume", run)
    assert refused.returncode == 2
    assert "my_nets.py: expected the code that is on record" in refused.stderr
