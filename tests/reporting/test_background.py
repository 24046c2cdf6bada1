import dataclasses
from pathlib import Path

import pytest

from bnbench.own_code import Arguments
from bnbench.recipes import RecipeSpec
from bnbench.records import DataRecord
from bnbench.reporting.background import (
    compose_environment,
    compose_method,
    compose_reproduction,
)
from bnbench.reporting.headline import say_headline
from bnbench.reporting.summary import summarize_run
from bnbench.specs import TimingSpec, VariantSpec
from tests.own_nets import OPTIMIZERS, make_own_code
from tests.reporting.conftest import MakeRun, report, separate


def test_the_threads_of_each_engine_are_listed_if_they_are_on_record(make_run: MakeRun) -> None:
    store = make_run(separate)
    old = summarize_run(store, store.read_trials())
    environment = dataclasses.replace(old.environment, threads=1, native_threads=8)
    new = dataclasses.replace(old, environment=environment)
    found = [
        dict(section.table.rows)
        for section in map(compose_environment, (old, new))
        if section.table is not None
    ]
    reference, native = "threads of the reference engine", "threads of the native engine"
    assert [(rows.get(reference), rows.get(native)) for rows in found] == [("2", None), ("1", "8")]


@pytest.mark.parametrize(
    ("asked", "used", "option"), [(None, 1, ""), (None, 2, " --threads 2"), (3, 3, "")]
)
def test_a_run_is_repeated_on_as_many_threads(
    make_run: MakeRun, asked: int | None, used: int, option: str
) -> None:
    """run.json holds what was asked for; a run of an older version took torch's choice."""
    store = make_run(separate, threads=asked)
    summary = summarize_run(store, store.read_trials())
    environment = dataclasses.replace(summary.environment, threads=used)
    section = compose_reproduction(dataclasses.replace(summary, environment=environment))
    assert section.code == f"bnbench run --study run.json{option} --out ../again"


def test_a_run_without_timed_trials_has_no_section_on_time(make_run: MakeRun) -> None:
    titles = [
        section.title
        for num_pairs in (0, 2)
        for section in report(
            make_run(separate, engine="native", timing=TimingSpec(num_pairs=num_pairs))
        ).sections
    ]
    assert titles.count("Time per epoch") == 1


def test_own_networks_are_tabulated_with_arguments_parameters_and_hash(make_run: MakeRun) -> None:
    code = {
        "module": "/home/me/nets.py:Net",
        "args": Arguments(width=3),
        "source_sha256": "ab" * 32,
    }
    variants = (VariantSpec("baseline"), VariantSpec("own", **code))  # type: ignore[arg-type]
    store = make_run(separate, only=lambda _: False)
    store = dataclasses.replace(
        store,
        study=dataclasses.replace(store.study, variants=variants),
        num_parameters={"own": 12345},
    )
    section = compose_method(summarize_run(store, []))
    assert section.paragraphs[0].startswith("Networks (in the table below) are trained with")
    assert section.table is not None
    assert section.table.columns == ("variant", "network", "parameters", "SHA-256 of its code")
    assert section.table.rows == (
        ("baseline", "784 → 64 → 32 → 10, relu, no normalization", "not known", "–"),
        ("own", "nets.py:Net(width=3)", "12,345", "abababababab"),
    )


def test_without_own_networks_there_is_no_table_of_them(make_run: MakeRun) -> None:
    store = make_run(separate)
    assert compose_method(summarize_run(store, store.read_trials())).table is None


def test_an_own_optimizer_is_named_in_the_method(make_run: MakeRun, tmp_path: Path) -> None:
    optimizer = make_own_code(tmp_path, "Lion", OPTIMIZERS, betas=[0.5])
    store = make_run(separate, recipe=RecipeSpec(epochs=2, optimizer=optimizer))
    paragraphs = compose_method(summarize_run(store, store.read_trials())).paragraphs
    assert paragraphs[1].startswith(
        "The recipe asks for the own optimizer own.py:Lion(betas=[0.5]), a constant learning rate"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            DataRecord("FashionMNIST", 60_000, 10_000),
            "The 60,000 training images have pixels in [0, 1] and are shuffled every epoch. The "
            "10,000 test images are evaluated after every epoch.",
        ),
        (
            DataRecord("digits.npz", 600, 200, (1, 8, 8), "float32"),
            "The 600 training images are 1 × 8 × 8 numbers as they are and are shuffled",
        ),
        (
            DataRecord("flowers", 120, 60, (4,), "uint8", 3),
            "The 120 training inputs are 4 bytes over 255 and are shuffled every epoch. The 60 "
            "test inputs are evaluated",
        ),
    ],
    ids=["FashionMNIST", "floats", "features"],
)
def test_the_method_says_what_the_data_are(make_run: MakeRun, data: DataRecord, text: str) -> None:
    store = make_run(separate)
    summary = summarize_run(store, store.read_trials())
    section = compose_method(dataclasses.replace(summary, data=data))
    assert text in section.paragraphs[0]
    assert ("Xiao, Rasul" in section.paragraphs[-1]) == (data.name == "FashionMNIST")


def test_the_headline_speaks_of_inputs_where_they_are_no_images(make_run: MakeRun) -> None:
    store = make_run(separate)
    summary = summarize_run(store, store.read_trials())
    flowers = DataRecord("flowers", 120, 60, (4,), "float32", 3)
    assert "of test images right" in say_headline(summary)
    assert "of test inputs right" in say_headline(dataclasses.replace(summary, data=flowers))
