"""The CSV files of a run: records as rows, one column per field; an empty field is None."""

from __future__ import annotations

import csv
import dataclasses
import io
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from bnbench.errors import RunError, SpecError
from bnbench.files import replace_file
from bnbench.mapping import build_from_mapping
from bnbench.records import CertificateRecord, VerificationRecord

Record = TypeVar("Record")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file whole; None becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    replace_file(path, text.getvalue().encode())


def write_verification(
    folder: Path,
    certificates: Iterable[CertificateRecord],
    verifications: Iterable[VerificationRecord],
) -> None:
    """Write ``certificates.csv`` (a row per model) and ``verification.csv`` (and runtime)."""
    _write_records(folder / "certificates.csv", CertificateRecord, certificates)
    _write_records(folder / "verification.csv", VerificationRecord, verifications)


def read_verification(folder: Path) -> tuple[list[CertificateRecord], list[VerificationRecord]]:
    """Read what `write_verification` wrote; empty if the run was not verified yet.

    Raises:
        RunError: a table is damaged, or another version of bnbench wrote it.
    """
    return (
        _read_records(folder / "certificates.csv", CertificateRecord),
        _read_records(folder / "verification.csv", VerificationRecord),
    )


def _write_records(path: Path, record_type: type, records: Iterable[object]) -> None:
    columns = _list_fields(record_type)
    write_table(path, columns, ([getattr(each, name) for name in columns] for each in records))


def _read_records(path: Path, record_type: type[Record]) -> list[Record]:
    if not path.exists():
        return []
    columns = _list_fields(record_type)
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        found = list(reader.fieldnames or ["none"])
        if found != columns:
            raise RunError(
                f"{path}: expected the columns {', '.join(columns)}, got {', '.join(found)}; "
                f"'bnbench verify {path.parent}' writes it anew"
            )
        try:
            return [_parse_row(record_type, row) for row in reader]
        except (ValueError, SpecError) as error:
            raise RunError(
                f"{path}: expected its rows, got: {error}; write it anew: "
                f"bnbench verify {path.parent}"
            ) from None


def _parse_row(record_type: type[Record], row: dict[str, str]) -> Record:
    hints = typing.get_type_hints(record_type)
    values: dict[str, object] = {}
    for name, text in row.items():
        kinds = {hints.get(name), *typing.get_args(hints.get(name))}
        convert = int if int in kinds else float if float in kinds else str
        values[name] = convert(text) if text else None
    return build_from_mapping(record_type, values)


def _list_fields(record_type: type) -> list[str]:
    return [field.name for field in dataclasses.fields(record_type)]
