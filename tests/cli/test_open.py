from pathlib import Path

import pytest

from bnbench.cli.open import open_page
from bnbench.errors import RunError
from bnbench.records import EnvironmentRecord
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC


@pytest.fixture
def folder(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> Path:
    return RunStore.create(
        tmp_path / "my run", small_study, REFERENCE, SYNTHETIC, environment
    ).folder


def test_the_report_is_opened_by_its_whole_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "report.html").touch()
    monkeypatch.chdir(folder.parent)
    opened: list[str] = []
    open_page(Path(folder.name), lambda address: not opened.append(address))
    assert opened == [(folder.resolve() / "report.html").as_uri()]
    assert opened[0].endswith("/my%20run/report.html")
    assert not capsys.readouterr().out


def test_without_a_browser_the_path_is_printed(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "report.html").touch()
    open_page(folder, lambda _: False)
    assert capsys.readouterr().out == f"{folder.resolve() / 'report.html'}\n"


def test_a_run_without_a_report_is_answered_with_the_command_that_writes_it(folder: Path) -> None:
    with pytest.raises(RunError, match=f"expected a report, .*'bnbench report {folder}'"):
        open_page(folder, lambda _: True)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    with pytest.raises(RunError, match="expected a run folder"):
        open_page(tmp_path, lambda _: True)
