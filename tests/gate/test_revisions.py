from pathlib import Path

import pytest

from bnbench.errors import GateError
from bnbench.gate.revisions import (
    RevisionFolder,
    find_repository,
    lay_out_revision,
    prune_cache,
    resolve_commit,
)
from bnbench.gate.specs import SuiteSpec
from tests.gate.conftest import WORK, Commit, run_git


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def lay_out(project: Path, revision: str, cache: Path, setup: str | None = None) -> RevisionFolder:
    return lay_out_revision(project, revision, SuiteSpec((), cache, setup))


def test_two_revisions_lie_side_by_side_in_folders_of_equally_long_names(
    project: Path, commit: Commit, cache: Path
) -> None:
    head = commit({"scratch_project/__init__.py": WORK + "# changed\n"})
    first, second = lay_out(project, "main~1", cache), lay_out(project, "main", cache)
    assert second.commit == head
    assert (first.tree / "scratch_project/__init__.py").read_text() == WORK
    assert (second.tree / "scratch_project/__init__.py").read_text().endswith("# changed\n")
    assert len(str(first.tree)) == len(str(second.tree))


def test_nothing_is_left_in_the_repository(project: Path, cache: Path) -> None:
    (project / "untracked.txt").write_text("new")
    before = run_git(project, "status", "--porcelain")
    lay_out(project, "main", cache)
    lay_out(project, "worktree", cache)
    assert run_git(project, "worktree", "list").count("\n") == 0
    assert run_git(project, "branch", "--list").split() == ["*", "main"]
    assert run_git(project, "status", "--porcelain") == before


def test_the_worktree_is_the_files_as_they_are(project: Path, cache: Path) -> None:
    (project / "scratch_project/__init__.py").write_text(WORK + "# not committed\n")
    (project / "new.py").write_text("x = 1\n")
    found = lay_out(project, "worktree", cache)
    assert (found.tree / "scratch_project/__init__.py").read_text().endswith("# not committed\n")
    assert (found.tree / "new.py").exists()
    # The same files are the same snapshot, which is then found in the cache.
    assert resolve_commit(project, "worktree") == found.commit


def test_a_worktree_without_changes_is_its_commit(project: Path) -> None:
    assert resolve_commit(project, "worktree") == run_git(project, "rev-parse", "HEAD")


def test_a_setup_runs_once_and_what_it_installs_comes_first(project: Path, cache: Path) -> None:
    setup = 'echo run >> "$GATE_TREE/../runs.txt"; echo "x = 1" > "$GATE_SITE/built.py"'
    found = lay_out(project, "main", cache, setup)
    lay_out(project, "main", cache, setup)
    assert (found.tree.parent / "runs.txt").read_text() == "run\n"
    assert (found.roots[0] / "built.py").exists()
    assert found.roots[-1] == found.tree


def test_a_setup_that_was_killed_is_made_anew(project: Path, cache: Path) -> None:
    found = lay_out(project, "main", cache)
    (found.tree / "test_scratch.py").unlink()
    (found.tree.parent / ".gate-complete").unlink()
    again = lay_out(project, "main", cache)
    assert again.tree == found.tree
    assert (again.tree / "test_scratch.py").exists()


def test_a_setup_that_fails_is_told_with_its_last_words(project: Path, cache: Path) -> None:
    with pytest.raises(GateError, match=r"(?s)exit code 0 from .*got 7; .*no compiler here"):
        lay_out(project, "main", cache, "echo no compiler here; exit 7")
    with pytest.raises(GateError, match="got 7"):
        lay_out(project, "main", cache, "echo no compiler here; exit 7")


def test_a_revision_that_is_not_there_is_told_with_what_to_do(project: Path) -> None:
    with pytest.raises(GateError, match=r"got 'gone', which is not in it; .*fetch-depth: 0"):
        resolve_commit(project, "gone")
    with pytest.raises(GateError, match="got '--all'"):
        resolve_commit(project, "--all")


def test_a_folder_outside_any_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="expected a folder inside a git repository"):
        find_repository(tmp_path)


def test_old_entries_go_and_new_ones_stay(project: Path, commit: Commit, cache: Path) -> None:
    first = lay_out(project, "main", cache)
    commit({"new.py": ""})
    second = lay_out(project, "main", cache)
    prune_cache(cache, num_kept=1)
    assert not first.tree.exists()
    assert second.tree.exists()
