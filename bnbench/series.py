"""A series: studies that are run one after the other, and the folder that holds their runs.

Each study has one recipe; what compares recipes is a series. A member of a series is a run folder
like any other, below the series' folder. The series adds the order and the name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnbench.errors import RunError, SpecError
from bnbench.files import replace_file
from bnbench.mapping import build_from_mapping
from bnbench.records import DataRecord, EnvironmentRecord
from bnbench.specs import EngineName, StudySpec
from bnbench.store import RunStore, make_run_folder

FORMAT_VERSION = 1
FILE_NAME = "series.json"


@dataclass(frozen=True)
class SeriesSpec:
    """Studies that are run one after the other and reported together."""

    name: str
    """Name of the series, for its folder and its report."""
    studies: tuple[StudySpec, ...]
    """In the order of the report; the name of each is that of its run's folder."""
    verified: tuple[str, ...] = ()
    """Studies whose models are verified as soon as they are trained; ``bnbench verify`` verifies
    those of all."""

    def __post_init__(self) -> None:
        _check_runs(tuple(study.name for study in self.studies), "studies", self.verified)


@dataclass(frozen=True)
class SeriesRecord:
    """The content of ``series.json``."""

    name: str
    runs: tuple[str, ...]
    """Names of the members' folders, in the order of the report; a member may be missing yet."""
    verified: tuple[str, ...] = ()
    """Members whose models are verified as soon as they are trained."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        _check_runs(self.runs, "runs", self.verified)


def _check_runs(names: tuple[str, ...], key: str, verified: tuple[str, ...]) -> None:
    """Refuse names that cannot be folders side by side, and verified ones that are not there."""
    if not names or len(set(names)) < len(names):
        raise SpecError(f"{key}: expected at least one name, and each once, got {names!r}")
    if any(name != Path(name).name or name in ("", "..") for name in names):
        raise SpecError(f"{key}: expected names of folders beside {FILE_NAME}, got {names!r}")
    if unknown := set(verified) - set(names):
        raise SpecError(f"verified: expected some of {', '.join(names)}, got {min(unknown)!r}")


def create_series(
    folder: Path,
    series: SeriesSpec,
    engines: Sequence[Mapping[str, EngineName]],
    data: DataRecord,
    environment: EnvironmentRecord,
    num_parameters: Sequence[Mapping[str, int]] = (),
) -> list[RunStore]:
    """Make the folder of a series with a run that has no trials yet for each study.

    The folder appears complete or not at all, so that an interrupted series can be resumed.

    Args:
        folder: the new folder.
        series: what is run.
        engines: for each study, the engine that trains on each of its devices.
        data: the data set of all runs.
        environment: the machine and software of all runs.
        num_parameters: for each study, the trainable parameters of each variant's network.

    Raises:
        RunError: `folder` exists and is not an empty folder, or it cannot be written.
    """
    names = tuple(study.name for study in series.studies)
    record = SeriesRecord(series.name, names, series.verified)
    with make_run_folder(folder) as draft:
        text = json.dumps(dataclasses.asdict(record), indent=2)
        replace_file(draft / FILE_NAME, f"{text}\n".encode())
        counts = num_parameters or [{}] * len(series.studies)
        for study, of_study, count in zip(series.studies, engines, counts, strict=True):
            RunStore.create(draft / study.name, study, of_study, data, environment, count)
    return [RunStore.open(folder / name) for name in names]


def is_series(folder: Path) -> bool:
    """Whether a folder holds a series; otherwise it may hold a run."""
    return (folder / FILE_NAME).exists()


def open_runs(folder: Path) -> list[RunStore]:
    """Open all runs of a series, or the one run of a folder that is a run itself.

    Raises:
        RunError: there is neither, or one of the runs cannot be read.
    """
    if not is_series(folder):
        return [RunStore.open(folder)]
    return [RunStore.open(folder / name) for name in read_series(folder).runs]


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
