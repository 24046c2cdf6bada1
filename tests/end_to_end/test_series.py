"""A small series on the real data, with real engines, verification and reports."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bnbench.cli import main
from bnbench.recipes import RecipeSpec
from bnbench.series import SeriesSpec
from bnbench.specs import TimingSpec, TuningSpec
from bnbench.store import RunStore
from bnbench.training.catalog import SERIES, STUDIES

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture
def small_series(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Studies as those of fair, but short: one epoch, one seed, two rates."""
    plain = replace(
        STUDIES["notebook"], recipe=RecipeSpec(epochs=1), seeds=(0,), timing=TimingSpec(0)
    )
    tuned = replace(
        plain,
        name="tuned",
        recipe=RecipeSpec(epochs=1, schedule="linear"),
        tuning=TuningSpec(
            (0.064, 0.256), (1000, 1001), num_first_seeds=1, num_finalists=1, max_alternates=1
        ),
    )
    precise = replace(
        tuned,
        name="precise",
        recipe=replace(tuned.recipe, evaluation_statistics="precise"),
    )
    monkeypatch.setitem(
        SERIES, "short", SeriesSpec("short", (plain, tuned, precise), verified=("notebook",))
    )
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["bnbench", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.usefixtures("small_series")
def test_a_series_is_run_verified_reported_and_verified_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "series"
    assert run(monkeypatch, "run", "--study", "short", "--out", folder) == 0
    printed = capsys.readouterr()
    assert "Verified: 2 models in eager, torchscript, libtorch" in printed.out
    # Two rates and one finalist with one more seed, for each network, then the scored trials.
    assert "[2/3 tuned, tuning 4/4]" in printed.err
    assert "[2/3 tuned, finalists 2/2]" in printed.err
    # The baseline of the third study is that of the second.
    assert "[3/3 precise, tuning 2/2] batchnorm" in printed.err
    stores = {name: RunStore.open(folder / name) for name in ("notebook", "tuned", "precise")}
    accuracies = {}
    for name, store in stores.items():
        summary = json.loads((store.folder / "summary.json").read_text())
        assert summary["failures"] == {"num_pending": 0, "failed": []}
        assert (store.folder / "verification.csv").exists() == (name == "notebook")
        assert len(list(store.models_folder.glob("*.pt"))) == 2
        accuracies[name] = {
            record.trial.variant.name: record.epochs[-1].test_accuracy
            for record in store.read_trials()
            if record.trial.purpose == "score"
        }
    assert accuracies["notebook"]["batchnorm"] > accuracies["notebook"]["baseline"] + 0.2
    assert accuracies["tuned"]["baseline"] > accuracies["notebook"]["baseline"] + 0.2
    assert accuracies["precise"]["baseline"] == accuracies["tuned"]["baseline"]
    assert accuracies["precise"]["batchnorm"] > 0.84
    assert run(monkeypatch, "verify", folder, "--runtimes", "torchscript") == 0
    output = capsys.readouterr().out
    assert output.count("Verified: 2 models in torchscript: all 20,000 predictions agree") == 3
    assert (folder / "precise" / "verification.csv").exists()
    (folder / "report.html").unlink()
    assert run(monkeypatch, "report", folder) == 0
    assert (folder / "report.html").exists()
    assert run(monkeypatch, "run", "--resume", folder) == 0
    assert capsys.readouterr().out.count("finished before") == 3
