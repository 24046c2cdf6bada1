import re
from collections.abc import Callable

import pytest
from rich.console import Console

from bnbench.reporting.terminal import print_content
from bnbench.specs import TimingSpec, TuningSpec
from bnbench.store import RunStore
from tests.reporting.conftest import MakeRun, diverge, overlap, report, separate

CASES: dict[str, Callable[[MakeRun], RunStore]] = {
    "thirty seeds": lambda make: make(separate, seeds=tuple(range(30))),
    "one seed": lambda make: make(separate, seeds=(5,)),
    "nothing trained": lambda make: make(lambda trial: None),
    "one variant always diverged": lambda make: make(diverge),
    "a target nobody reached": lambda make: make(overlap, target_accuracy=0.99),
    "two devices": lambda make: make(overlap, devices=("cpu", "cuda:1")),
    "interrupted after one trial": lambda make: make(
        separate, only=lambda trial: trial.key == "baseline-seed0-cpu"
    ),
    "interrupted before the first trial": lambda make: make(separate, only=lambda trial: False),
    "interrupted while tuning": lambda make: make(
        separate,
        tuning=TuningSpec((0.1, 1.0), (100, 101), 20),
        only=lambda trial: trial.seed == 100,
    ),
    "native": lambda make: make(separate, engine="native"),
    "native, no trial timed": lambda make: make(
        separate, engine="native", timing=TimingSpec(num_pairs=0)
    ),
    "tuned": lambda make: make(
        separate,
        engine="native",
        tuning=TuningSpec((0.01, 0.1, 1.0), (100, 101), 20),
        rates={("baseline", "cpu"): 1.0, ("batchnorm", "cpu"): 0.1},
    ),
    "tuned, one variant trains at no rate": lambda make: make(
        diverge,
        tuning=TuningSpec((0.1, 1.0), (100, 101), 20),
        rates={("batchnorm", "cpu"): 0.1},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_run_gives_a_report_without_undefined_numbers(
    make_run: MakeRun, case: str
) -> None:
    store = CASES[case](make_run)
    content = report(store)
    console = Console(width=80, record=True)
    print_content(content, console)
    texts = {
        name: (store.folder / name).read_text()
        for name in ("report.md", "summary.json", "epochs.csv")
    }
    texts["terminal"] = console.export_text()
    texts["report.html"] = re.sub(
        r"<style>.*?</style>", "", (store.folder / "report.html").read_text(), flags=re.S
    )
    for name, text in texts.items():
        found = re.search(r"\b(nan|NaN|inf|Infinity|None)\b", text)
        if name == "summary.json" or "loss is nan" in text:
            found = re.search(r"\b(NaN|Infinity)\b", text)
        assert found is None, f"{name}: {text[max(0, found.start() - 60) : found.end() + 20]}"


@pytest.mark.parametrize("case", ["thirty seeds", "tuned"])
def test_the_same_run_folder_always_gives_the_same_bytes(make_run: MakeRun, case: str) -> None:
    store = CASES[case](make_run)

    def read_all() -> dict[str, bytes]:
        report(RunStore.open(store.folder))
        return {path.name: path.read_bytes() for path in store.folder.iterdir() if path.is_file()}

    first = read_all()
    assert {"summary.json", "epochs.csv", "accuracy.csv", "accuracy.png"} <= set(first)
    assert read_all() == first


def test_the_tuned_report_tells_which_rates_work(make_run: MakeRun) -> None:
    store = CASES["tuned"](make_run)
    report(store)
    text = (store.folder / "report.md").read_text()
    assert "## Validation accuracy by learning rate" in text
    assert "![" in text
    assert "learning_rate.png" in text
    assert (store.folder / "learning_rate.csv").exists()


def test_engines_are_named_and_never_mixed(make_run: MakeRun) -> None:
    store = CASES["native"](make_run)
    report(store)
    text = (store.folder / "report.md").read_text()
    assert "reference engine on cpu: an epoch of batch normalization takes 1.20" in text
    assert "native engine on cpu: an epoch of batch normalization takes 1.20" in text


def test_failures_are_listed_with_their_reasons(make_run: MakeRun) -> None:
    store = CASES["one variant always diverged"](make_run)
    report(store)
    text = (store.folder / "report.md").read_text()
    assert "3 trials failed" in text
    assert text.count("diverged: training loss is nan") == 3
