"""The run folder: a study's trials, models and report; an interruption loses no saved trial.

A folder appears complete: it is made under another name and then renamed. A trial counts once its
line in ``trials.jsonl`` is complete and on the disk. Every other file is derived from these and
replaced whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bnbench.errors import RunError, SpecError
from bnbench.files import AppendLog, make_folder, replace_file
from bnbench.mapping import build_from_mapping, convert
from bnbench.own_source import SOURCES_FOLDER, list_sources, remember_sources
from bnbench.records import (
    ChosenRateRecord,
    DataRecord,
    EnvironmentRecord,
    TrialRecord,
    make_trial_order,
)
from bnbench.specs import EXPLORING, EngineName, StudySpec

Content = TypeVar("Content")

FORMAT_VERSION = 1


@dataclass(frozen=True)
class _RunDescription:
    """The content of ``run.json``."""

    format_version: int
    study: StudySpec
    engines: dict[str, EngineName]
    data: DataRecord
    num_parameters: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RunStore:
    """One run folder, opened for reading, or by one process at a time for adding trials."""

    folder: Path
    study: StudySpec
    """The study as it was asked for."""
    engines: dict[str, EngineName]
    """The engine that trains on each of the study's devices."""
    data: DataRecord
    """The data set the run is made with."""
    environment: EnvironmentRecord
    """The machine and software the run is made with."""
    num_parameters: dict[str, int] = dataclasses.field(default_factory=dict)
    """Trainable parameters of each variant's network; empty in runs of versions that did not record
    them."""

    @property
    def models_folder(self) -> Path:
        """The folder of the exported models and their manifests."""
        return self.folder / "models"

    @functools.cached_property
    def _log(self) -> AppendLog:
        return AppendLog(self.folder / "trials.jsonl")

    @classmethod
    def create(
        cls,
        folder: Path,
        study: StudySpec,
        engines: Mapping[str, EngineName],
        data: DataRecord,
        environment: EnvironmentRecord,
        num_parameters: Mapping[str, int] | None = None,
    ) -> RunStore:
        """Make a new run folder, complete or not at all; the arguments are the fields.

        Raises:
            RunError: `folder` exists and is not an empty folder, or it cannot be written.
        """
        run = _RunDescription(
            FORMAT_VERSION, study, dict(engines), data, dict(num_parameters or {})
        )
        with make_run_folder(folder) as draft:
            (draft / "models").mkdir()
            replace_file(draft / "run.json", _to_json(dataclasses.asdict(run)))
            replace_file(draft / "environment.json", _to_json(dataclasses.asdict(environment)))
            (draft / "trials.jsonl").touch()
            for source in list_sources(study.own_codes):
                (draft / SOURCES_FOLDER).mkdir(exist_ok=True)
                replace_file(draft / SOURCES_FOLDER / source.file_name, source.content)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> RunStore:
        """Open an existing run folder for reading.

        Raises:
            RunError: there is no run, or its format is not the one this version reads.
        """
        content = _read_json(folder / "run.json", folder)
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            advice = "use the version of bnbench that made it"
            if isinstance(version, int) and version > FORMAT_VERSION:
                advice = "it was made by a newer bnbench: upgrade bnbench to read it"
            raise RunError(
                f"{folder}: expected run format {FORMAT_VERSION}, got {version!r}; {advice}"
            )
        try:
            run = build_from_mapping(_RunDescription, content)
            environment = build_from_mapping(
                EnvironmentRecord, _read_json(folder / "environment.json", folder), "environment"
            )
        except SpecError as error:
            raise RunError(
                f"{folder}: expected a description of the run, got damage: {error}"
            ) from None
        remember_sources(folder / SOURCES_FOLDER)
        return cls(folder, run.study, run.engines, run.data, environment, run.num_parameters)

    def locked(self) -> contextlib.AbstractContextManager[object]:
        """Lock the run for adding trials; a torn last line of a killed run is cut off.

        Raises:
            RunError: another process is adding trials to this run.
        """
        lock = contextlib.ExitStack()
        try:
            lock.enter_context(self._log)
        except BlockingIOError:
            raise RunError(
                f"{self.folder}: expected a run that no other process works on, got another "
                "process that adds trials to it; wait for it to end"
            ) from None
        return lock

    def append_trial(self, record: TrialRecord) -> None:
        """Put a trial on disk before returning; the run must be locked."""
        self._log.append(dataclasses.asdict(record))

    def read_trials(self) -> list[TrialRecord]:
        """Read all trials on record, in the order of `make_trial_order`.

        Raises:
            RunError: the log cannot be read, or a line is no trial of the study.
        """
        path = self._log.path
        records = {}
        order_of = make_trial_order(self.study)
        try:
            for number, line in self._log.read():
                try:
                    record = build_from_mapping(TrialRecord, json.loads(line))
                    order_of(record)
                except (ValueError, SpecError) as error:
                    raise RunError(
                        f"{path}, line {number}: expected a trial, got: {error}"
                    ) from None
                records[record.trial] = record
        except OSError as error:
            raise RunError(f"{path}: expected a readable log, got: {error.strerror}") from None
        return sorted(records.values(), key=order_of)

    def write_rates(self, rates: Sequence[ChosenRateRecord]) -> None:
        """Keep the learning rates that tuning chose, in ``rates.json``."""
        self.write_json("rates.json", [dataclasses.asdict(rate) for rate in rates])

    def read_rates(self) -> tuple[ChosenRateRecord, ...] | None:
        """Read the learning rates that tuning chose; None before that and in older runs.

        Raises:
            RunError: ``rates.json`` is damaged.
        """
        return self._read_optional("rates.json", tuple[ChosenRateRecord, ...], "the learning rates")

    def add_node(self, name: str, environment: EnvironmentRecord) -> None:
        """Keep the environment of a node that Ray ran trials on, in ``nodes.json``."""
        nodes = self.read_nodes()
        if name not in nodes:
            nodes[name] = environment
            self.write_json("nodes.json", {n: dataclasses.asdict(e) for n, e in nodes.items()})

    def read_nodes(self) -> dict[str, EnvironmentRecord]:
        """Read the nodes that trials ran on, by name; empty if Ray ran no trial.

        Raises:
            RunError: ``nodes.json`` is damaged.
        """
        return self._read_optional("nodes.json", dict[str, EnvironmentRecord], "the nodes") or {}

    def _read_optional(self, name: str, kind: type[Content], expected: str) -> Content | None:
        """Read a JSON file that a run need not have as a `kind`; None if there is none."""
        path = self.folder / name
        if not path.exists():
            return None
        try:
            content: Content = convert(kind, json.loads(path.read_bytes()), path.stem)
            return content
        except (OSError, ValueError, SpecError) as error:
            raise RunError(
                f"{path}: expected {expected}, got: {error}; delete the file and resume the run, "
                "which writes anew what it needs"
            ) from None

    def write_epochs(self, records: Iterable[TrialRecord]) -> None:
        """Write ``epochs.csv``, and the other tables of epochs if there are such trials.

        Each has one row per epoch of each trial.
        """
        # NumPy loads slowly, and "bnbench run --help" imports this module.
        from bnbench.tables import EPOCH_FILES, make_epoch_frame

        frame = make_epoch_frame(records)
        for purpose, name in EPOCH_FILES.items():
            left_out = ["purpose"] if purpose in EXPLORING else ["purpose", "learning_rate"]
            rows = frame[frame["purpose"] == purpose].drop(columns=left_out)
            if purpose == "score" or not rows.empty:
                self.write_bytes(name, rows.to_csv(index=False, lineterminator="\n").encode())

    def write_json(self, name: str, content: object) -> None:
        """Write a JSON file whole."""
        replace_file(self.folder / name, _to_json(content))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write any file of the run whole."""
        replace_file(self.folder / name, content)


@contextlib.contextmanager
def make_run_folder(folder: Path) -> Iterator[Path]:
    """Make the folder of a run or a series, as `make_folder` does.

    Raises:
        RunError: `folder` exists and is not an empty folder, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            f"{folder}: expected a new or empty folder, got one in use; choose another "
            f"--out, or go on with an unfinished run by --resume {folder}"
        )
    try:
        with make_folder(folder) as draft:
            yield draft
    except OSError as error:
        raise RunError(
            f"{folder}: expected a folder that can be written, got: {error.strerror}"
        ) from None


def _read_json(path: Path, folder: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"{folder}: expected a run folder, got no {path.name} in it; "
            "'bnbench run' makes one and prints where it lies"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: expected readable JSON, got: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a JSON object, got {type(content).__name__}")
    return content


def _to_json(content: object) -> bytes:
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
