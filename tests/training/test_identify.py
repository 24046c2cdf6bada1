from pathlib import Path

import pytest

from bnbench import own_source
from bnbench.errors import SpecError
from bnbench.own_code import OwnCode
from bnbench.records import EnvironmentRecord
from bnbench.store import RunStore
from bnbench.training.catalog import find_study, read_study_file
from tests.conftest import REFERENCE, SYNTHETIC
from tests.own_nets import NETWORKS, OPTIMIZERS

STUDY = """
variants = [
    "nets.py:SmallCNN",
    { name = "wide", module = "nets.py:SmallCNN", args = { width = 16 } },
    { name = "lion", recipe = { optimizer = { module = "opt.py:Lion", args = { betas = [0] } } } },
]

[recipe]
optimizer = { module = "opt.py:make_sgd" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETWORKS)
    (tmp_path / "opt.py").write_text(OPTIMIZERS)
    (tmp_path / "mine.toml").write_text(STUDY)
    return tmp_path


def test_paths_in_a_study_file_are_relative_to_it(folder: Path) -> None:
    study = read_study_file(folder / "mine.toml")
    small, wide, lion = study.variants
    assert (small.name, wide.name) == ("smallcnn", "wide")
    assert small.module == wide.module == f"{folder}/nets.py:SmallCNN"
    assert (small.args, wide.args) == ({}, {"width": 16})
    assert small.source_sha256 is not None
    optimizer = lion.recipe.optimizer
    assert isinstance(optimizer, OwnCode)
    assert str(optimizer) == "opt.py:Lion(betas=[0])"
    assert optimizer.path == folder / "opt.py"
    assert optimizer.source_sha256 is not None
    assert isinstance(study.recipe.optimizer, OwnCode)
    assert len(study.own_codes) == 4


def test_a_run_keeps_its_own_code_and_its_study_can_be_run_again(
    folder: Path, environment: EnvironmentRecord
) -> None:
    study = read_study_file(folder / "mine.toml")
    RunStore.create(folder / "run", study, REFERENCE, SYNTHETIC, environment, {"wide": 3})
    copies = [path.read_text() for path in sorted((folder / "run" / "sources").iterdir())]
    assert sorted(copies) == sorted([NETWORKS, OPTIMIZERS])
    store = RunStore.open(folder / "run")
    assert store.study == study
    assert store.num_parameters == {"wide": 3}
    assert find_study(str(folder / "run" / "run.json")) == study


def test_an_opened_run_gives_its_own_code_after_the_files_are_gone(
    folder: Path, environment: EnvironmentRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = read_study_file(folder / "mine.toml")
    RunStore.create(folder / "run", study, REFERENCE, SYNTHETIC, environment)
    (folder / "nets.py").unlink()
    (folder / "opt.py").unlink()
    monkeypatch.setattr(own_source, "_sources", {})
    opened = find_study(str(folder / "run" / "run.json"))
    assert {source.content.decode() for source in own_source.list_sources(opened.own_codes)} == {
        NETWORKS,
        OPTIMIZERS,
    }


def test_a_run_without_own_code_has_no_folder_for_it(
    tmp_path: Path, environment: EnvironmentRecord
) -> None:
    study = find_study("notebook")
    store = RunStore.create(tmp_path / "run", study, REFERENCE, SYNTHETIC, environment)
    assert not (store.folder / "sources").exists()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (("nets.py:Small", "gone.py:Small"), "line 2: variants[0].module: expected own code at"),
        (("opt.py:make", "gone.py:make"), "line 9: recipe.optimizer.module: expected own code at"),
        (("width = 16", "width = nan"), "line 2: variants[1].args: expected texts, finite numbers"),
        (("opt.py:Lion", "gone.py:Lion"), "variants[2].recipe.optimizer.module: expected own code"),
        (("SmallCNN", ""), "module: expected FILE.py:NAME or package.module:NAME, got 'nets.py:'"),
    ],
    ids=["network", "optimizer", "argument", "optimizer of a variant", "name"],
)
def test_own_code_that_is_wrong_is_named_by_line_and_key(
    folder: Path, wrong: tuple[str, str], text: str
) -> None:
    (folder / "mine.toml").write_text(STUDY.replace(*wrong, 1))
    with pytest.raises(SpecError) as caught:
        read_study_file(folder / "mine.toml")
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
