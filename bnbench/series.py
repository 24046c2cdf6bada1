"""A series: run folders below one folder that are reported together, and the file that lists them.

A member of a series is a run folder like any other. The series adds the order and the name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bnbench.errors import RunError, SpecError, require
from bnbench.mapping import build_from_mapping

FORMAT_VERSION = 1
FILE_NAME = "series.json"


@dataclass(frozen=True)
class SeriesRecord:
    """The content of ``series.json``."""

    name: str
    runs: tuple[str, ...]
    """Names of the members' folders, in the order of the report; a member may be missing yet."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        holds = len(set(self.runs)) == len(self.runs) > 0
        require(self, "runs", holds, "at least one name, and each once")
        holds = all(run == Path(run).name and run not in ("", "..") for run in self.runs)
        require(self, "runs", holds, "names of folders beside series.json")


def read_series(folder: Path) -> SeriesRecord:
    """Read which runs a series has.

    Raises:
        RunError: there is no series, or its format is not the one this version reads.
    """
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"{folder}: expected a series, got no {FILE_NAME} in it; 'bnbench run' makes one"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: expected readable JSON, got: {error}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise RunError(
            f"{path}: expected series format {FORMAT_VERSION}, got {version!r}; "
            "use the version of bnbench that made it"
        )
    try:
        return build_from_mapping(SeriesRecord, content)
    except SpecError as error:
        raise RunError(f"{path}: expected a list of runs, got damage: {error}") from None
