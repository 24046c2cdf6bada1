from pathlib import Path

import pytest

from bnbench.errors import RunError
from bnbench.record_tables import read_verification, write_verification
from bnbench.records import CertificateRecord, VerificationRecord


def test_verification_comes_back_with_unknown_figures_as_none(tmp_path: Path) -> None:
    certificates = [
        CertificateRecord("a.pt", "baseline", 10, 9, 8, 3, 0.25),
        CertificateRecord("b.pt", "wide", 10, 9, None, None, None),
    ]
    agreed = VerificationRecord(
        "a.pt", "baseline", "eager", "torch 2", 9, 10, 0.9, 9, 1, 0, 1e-7, 0.5
    )
    unusable = VerificationRecord(
        "b.pt", "wide", "eager", "torch 2", status="unusable", reason="gone, alas"
    )
    assert read_verification(tmp_path) == ([], [])
    write_verification(tmp_path, certificates, [agreed, unusable])
    assert read_verification(tmp_path) == (certificates, [agreed, unusable])


def test_a_verification_of_an_older_version_is_named_with_what_writes_it_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "verification.csv"
    path.write_text("model,runtime,correct,disagreements,status\na.pt,libtorch,9,0,agreed\n")
    with pytest.raises(RunError, match=r"expected the columns model, .*'bnbench verify .*anew"):
        read_verification(tmp_path)


def test_a_damaged_table_is_named_with_what_writes_it_anew(tmp_path: Path) -> None:
    write_verification(tmp_path, [CertificateRecord("a.pt", "baseline", 10, 9, 8, 3, 0.25)], [])
    path = tmp_path / "certificates.csv"
    path.write_text(path.read_text().replace("10,9", "ten,9"))
    with pytest.raises(
        RunError, match=r"certificates\.csv: expected its rows, got.*bnbench verify "
    ):
        read_verification(tmp_path)
