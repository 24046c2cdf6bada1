"""The run folder: a study's trials, models and report; an interruption loses no saved trial.

A folder appears complete: it is made under another name and then renamed. A trial counts once its
line in ``trials.jsonl`` is complete and on the disk. Every other file is derived from these and
replaced whole.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import shutil
import tempfile
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bnbench.errors import RunError, SpecError
from bnbench.files import AppendLog, replace_file
from bnbench.mapping import build_from_mapping
from bnbench.records import (
    CertificateRecord,
    ChosenRateRecord,
    DataRecord,
    EnvironmentRecord,
    TrialRecord,
    VerificationRecord,
)
from bnbench.specs import EngineName, StudySpec
from bnbench.trial_order import make_trial_order

Row = TypeVar("Row")

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class _RunDescription:
    format_version: int
    study: StudySpec
    engines: dict[str, EngineName]
    data: DataRecord


@dataclasses.dataclass(frozen=True)
class _ChosenRates:
    rates: tuple[ChosenRateRecord, ...]


class RunStore:
    """One run folder, opened for reading, or by one process at a time for adding trials."""

    def __init__(
        self,
        folder: Path,
        study: StudySpec,
        engines: dict[str, EngineName],
        data: DataRecord,
        environment: EnvironmentRecord,
    ) -> None:
        self.folder = folder
        self.study = study
        self.engines = engines
        self.data = data
        self.environment = environment
        self._trials = AppendLog(folder / "trials.jsonl")
        self._nodes: dict[str, EnvironmentRecord] | None = None  # read when one is added

    @property
    def models_folder(self) -> Path:
        """Where exported models and their manifests lie."""
        return self.folder / "models"

    @classmethod
    def create(
        cls,
        folder: Path,
        study: StudySpec,
        engines: Mapping[str, EngineName],
        data: DataRecord,
        environment: EnvironmentRecord,
    ) -> RunStore:
        """Make a new run folder, complete or not at all.

        Args:
            folder: where; a new or an empty one.
            study: as it was asked for.
            engines: the engine that trains on each of the study's devices.
            data: what it is trained on.
            environment: what it is made with.

        Raises:
            RunError: something lies at `folder` already, or it cannot be written.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(
                f"{folder}: expected a new or empty folder, got one in use; choose another "
                f"--out, or go on with an unfinished run by --resume {folder}"
            )
        draft: Path | None = None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            draft.chmod(0o777 & ~_read_umask())
            (draft / "models").mkdir()
            run = {
                "format_version": FORMAT_VERSION,
                "study": dataclasses.asdict(study),
                "engines": dict(engines),
                "data": dataclasses.asdict(data),
            }
            replace_file(draft / "run.json", _to_json(run))
            replace_file(draft / "environment.json", _to_json(dataclasses.asdict(environment)))
            (draft / "trials.jsonl").touch()
            draft.rename(folder)
        except OSError as error:
            if draft is not None:
                shutil.rmtree(draft, ignore_errors=True)
            raise RunError(
                f"{folder}: expected a folder that can be written, got: {error.strerror}"
            ) from None
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> RunStore:
        """Open an existing run folder for reading.

        Raises:
            RunError: there is no run, or its format is not the one this version reads.
        """
        run = _read_json(folder / "run.json", folder)
        version = run.get("format_version")
        if version != FORMAT_VERSION:
            newer = isinstance(version, int) and version > FORMAT_VERSION
            raise RunError(
                f"{folder}: expected run format {FORMAT_VERSION}, got {version!r}; "
                + (
                    "it was made by a newer bnbench: upgrade bnbench to read it"
                    if newer
                    else "use the version of bnbench that made it"
                )
            )
        try:
            description = build_from_mapping(_RunDescription, run)
            environment = build_from_mapping(
                EnvironmentRecord, _read_json(folder / "environment.json", folder), "environment"
            )
        except SpecError as error:
            raise RunError(
                f"{folder}: expected a description of the run, got damage: {error}"
            ) from None
        return cls(folder, description.study, description.engines, description.data, environment)

    def require_environment(self, found: EnvironmentRecord) -> None:
        """Check that the run can be continued on a machine, with its software.

        Raises:
            RunError: the machine or the software differs from what the run was made with.
        """
        differences = self.environment.list_differences(found)
        if differences:
            raise RunError(
                f"{self.folder}: expected the machine and software the run was begun with, got "
                f"that {'; '.join(differences)}. Figures of both must not be mixed: start a new run"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for adding trials; a torn last line of a killed run is cut off.

        Raises:
            RunError: another process is adding trials to this run.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._trials)
            except BlockingIOError:
                raise RunError(
                    f"{self.folder}: expected a run nobody is working on, got another process "
                    "adding trials to it; wait for it to end"
                ) from None
            yield

    def append_trial(self, record: TrialRecord) -> None:
        """Put a trial on disk before returning; the run must be locked."""
        self._trials.append(dataclasses.asdict(record))

    def read_trials(self) -> list[TrialRecord]:
        """All trials on record, sorted by purpose, device, variant, rate and seed."""
        path = self._trials.path
        records = {}
        order_of = make_trial_order(self.study)
        try:
            for number, line in self._trials.read():
                try:
                    record = build_from_mapping(TrialRecord, json.loads(line))
                    order_of(record.trial)
                except (ValueError, SpecError) as error:
                    raise RunError(
                        f"{path}, line {number}: expected a trial, got: {error}"
                    ) from None
                records[record.trial] = record
        except OSError as error:
            raise RunError(f"{path}: expected a readable log, got: {error.strerror}") from None
        return sorted(records.values(), key=lambda record: order_of(record.trial))

    def write_rates(self, rates: Sequence[ChosenRateRecord]) -> None:
        """Keep the learning rates that tuning chose, in ``rates.json``."""
        self.write_json("rates.json", [dataclasses.asdict(rate) for rate in rates])

    def read_rates(self) -> tuple[ChosenRateRecord, ...] | None:
        """The learning rates that tuning chose; None if none were stored.

        None are stored before tuning has ended, without tuning, and in runs of older versions.

        Raises:
            RunError: ``rates.json`` is damaged.
        """
        path = self.folder / "rates.json"
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_bytes())
            return build_from_mapping(_ChosenRates, {"rates": content}).rates
        except (OSError, ValueError, SpecError) as error:
            raise RunError(
                f"{path}: expected the learning rates chosen by tuning, got: {error}; delete the "
                "file and resume the run, which chooses them again from its tuning trials"
            ) from None

    def add_node(self, name: str, environment: EnvironmentRecord) -> None:
        """Keep what a node is, besides the machine that runs the study, in ``nodes.json``."""
        if self._nodes is None:
            self._nodes = self.read_nodes()
        if self._nodes.setdefault(name, environment) is environment:
            self.write_json(
                "nodes.json",
                {name: dataclasses.asdict(record) for name, record in self._nodes.items()},
            )

    def read_nodes(self) -> dict[str, EnvironmentRecord]:
        """The nodes that trials ran on, by name; none where all ran in the study's process.

        Raises:
            RunError: ``nodes.json`` is damaged.
        """
        path = self.folder / "nodes.json"
        if not path.exists():
            return {}
        try:
            return {
                name: build_from_mapping(EnvironmentRecord, content, name)
                for name, content in _read_json(path, self.folder).items()
            }
        except SpecError as error:
            raise RunError(
                f"{path}: expected what each node is, got: {error}; take the file away and "
                "resume the run, which describes the nodes it still uses"
            ) from None

    def write_epochs(self, records: Iterable[TrialRecord]) -> None:
        """Write ``epochs.csv``, and ``tuning.csv`` and ``timing.csv`` if there are such trials.

        Each has one row per epoch of each trial. Only tuning varies the learning rate.
        """
        # NumPy loads slowly, and "bnbench run --help" imports this module.
        from bnbench.tables import EPOCH_FILES, make_epoch_frame

        frame = make_epoch_frame(records)
        for purpose, name in EPOCH_FILES.items():
            left_out = ["purpose"] if purpose == "tune" else ["purpose", "learning_rate"]
            rows = frame[frame["purpose"] == purpose].drop(columns=left_out)
            if purpose == "score" or not rows.empty:
                self.write_bytes(name, rows.to_csv(index=False, lineterminator="\n").encode())

    def write_verification(
        self,
        certificates: Iterable[CertificateRecord],
        verifications: Iterable[VerificationRecord],
    ) -> None:
        """Write ``certificates.csv`` (a row per model) and ``verification.csv`` (and runtime)."""
        self._write_records("certificates.csv", CertificateRecord, certificates)
        self._write_records("verification.csv", VerificationRecord, verifications)

    def read_certificates(self) -> list[CertificateRecord]:
        """The rows of ``certificates.csv``; empty if the run was not verified yet."""
        return self._read_records("certificates.csv", CertificateRecord)

    def read_verification(self) -> list[VerificationRecord]:
        """The rows of ``verification.csv``; empty if the run was not verified yet.

        Raises:
            RunError: the table is damaged, or another version of bnbench wrote it.
        """
        return self._read_records("verification.csv", VerificationRecord)

    def _write_records(self, name: str, record_type: type, records: Iterable[object]) -> None:
        columns = _list_fields(record_type)
        rows = [[getattr(record, column) for column in columns] for record in records]
        self.write_table(name, columns, rows)

    def _read_records(self, name: str, record_type: type[Row]) -> list[Row]:
        path = self.folder / name
        if not path.exists():
            return []
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != _list_fields(record_type):
                raise RunError(
                    f"{path}: expected the columns {', '.join(_list_fields(record_type))}, got "
                    f"{', '.join(reader.fieldnames or ['none'])}; 'bnbench verify {self.folder}' "
                    "writes it anew"
                )
            try:
                return [_parse_row(record_type, row) for row in reader]
            except (ValueError, SpecError) as error:
                raise RunError(
                    f"{path}: expected its rows, got: {error}; write it anew: "
                    f"bnbench verify {self.folder}"
                ) from None

    def write_table(
        self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> None:
        """Write a CSV file whole; None becomes an empty field."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        replace_file(self.folder / name, text.getvalue().encode())

    def write_json(self, name: str, content: object) -> None:
        """Write a JSON file whole."""
        replace_file(self.folder / name, _to_json(content))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write any file of the run whole."""
        replace_file(self.folder / name, content)


def _list_fields(record_type: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(record_type))


def _parse_row(record_type: type[Row], row: Mapping[str, str]) -> Row:
    """A row of a CSV file as a record; an empty field is None."""
    hints = typing.get_type_hints(record_type)
    numbers = {int: int, float: float}
    values: dict[str, object] = {}
    for name, text in row.items():
        kinds = typing.get_args(hints.get(name)) or (hints.get(name),)
        convert = next((numbers[kind] for kind in kinds if kind in numbers), str)
        values[name] = convert(text) if text else None
    return build_from_mapping(record_type, values)


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


def _read_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
