import dataclasses

import pytest

from bnbench.reporting.background import compose_environment, compose_reproduction
from bnbench.reporting.summary import summarize_run
from bnbench.specs import TimingSpec
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
