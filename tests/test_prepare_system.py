"""The set-up's first step, on machines that stub programs stand for."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "cpp" / "prepare-system.sh"
REQUIRED = "zlib.h openssl/evp.h"
HEADERS = "CLI/CLI.hpp nlohmann/json.hpp doctest/doctest.h"
PACKAGES = "libcli11-dev nlohmann-json3-dev doctest-dev"
STUBS = {
    "python": "exit 0",
    "c++": "read -r line\n"
    'for h in $INSTALLED; do [ "$line" = "#include <$h>" ] && exit 0; done; exit 1',
    "id": 'echo "$USER_ID"',
    "sudo": "exit 1",
    "apt-get": 'echo "$@" >> "$LOG"; [ "$APT" = works ] || exit 100\n'
    'shift; for word in "$@"; do case "$word" in -*) ;; *) : > "$word.deb" ;; esac; done',
    "dpkg-deb": 'mkdir -p "$3/usr" && : > "$3/usr/$(basename "$2" .deb)"',
}


def prepare(
    tmp_path: Path, installed: str, user_id: int = 1000, apt: str = "works", without: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the script where `installed` headers are found."""
    stubs = tmp_path / "stubs with space"
    stubs.mkdir()
    for name, body in STUBS.items():
        if name != without:
            (stubs / name).write_text(f"#!/bin/sh\n{body}\n")
            (stubs / name).chmod(0o755)
    for name in ("sh", "mktemp", "rm", "mkdir", "basename"):
        (stubs / name).symlink_to(Path("/bin") / name)
    environment = {
        "PATH": str(stubs),
        "INSTALLED": installed,
        "USER_ID": str(user_id),
        "APT": apt,
        "LOG": str(tmp_path / "log"),
    }
    command = ["/bin/sh", str(SCRIPT), "python", "my system"]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)


def test_a_machine_that_has_everything_is_left_alone(tmp_path: Path) -> None:
    result = prepare(tmp_path, f"{REQUIRED} {HEADERS}")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (tmp_path / "log").exists()


def test_without_root_headers_are_unpacked_beside_the_environment(tmp_path: Path) -> None:
    result = prepare(tmp_path, REQUIRED)
    assert result.returncode == 0, result.stderr
    assert f"Unpacked into my system, since they can't be installed without root: {PACKAGES}" in (
        result.stdout
    )
    assert {p.name for p in (tmp_path / "my system" / "usr").iterdir()} == set(PACKAGES.split())
    assert "install" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("apt", "without"), [("fails", ""), ("works", "apt-get")], ids=["no lists", "no apt-get"]
)
def test_where_no_package_can_be_had_cmake_is_said_to_fetch_the_headers(
    tmp_path: Path, apt: str, without: str
) -> None:
    result = prepare(tmp_path, REQUIRED, apt=apt, without=without)
    assert result.returncode == 0, result.stderr
    assert f"to be fetched from GitHub by CMake: {PACKAGES}" in result.stdout
    assert not (tmp_path / "my system").exists()


def test_without_root_what_only_root_can_install_is_listed(tmp_path: Path) -> None:
    result = prepare(tmp_path, HEADERS)
    assert result.returncode == 2
    assert "expected Debian's packages zlib1g-dev libssl-dev" in result.stderr
    assert "sudo apt-get install zlib1g-dev libssl-dev" in result.stderr


def test_root_installs_all_that_is_missing(tmp_path: Path) -> None:
    result = prepare(tmp_path, "", user_id=0)
    assert result.returncode == 0, result.stderr
    log = (tmp_path / "log").read_text()
    assert log.startswith("update -qq\n")
    assert f"zlib1g-dev libssl-dev {PACKAGES}" in log
