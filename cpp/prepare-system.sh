#!/bin/sh
# Checks the compiler, Python's headers and the C++ libraries. Missing Debian packages are installed
# if you are root or have sudo; otherwise they are listed. Those that are only headers are then
# unpacked into FOLDER, without root.
# Usage: cpp/prepare-system.sh PYTHON FOLDER
set -eu
python=$1
folder=$2

if ! command -v "$python" >/dev/null 2>&1 ||
  ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "PYTHON: expected Python 3.11 or newer, got $("$python" --version 2>/dev/null || echo none);" \
    "install it, or name it: make PYTHON=/path/to/python3.12 ..." >&2
  exit 2
fi

has_header() {
  printf '#include <%s>\n' "$1" | c++ -E -x c++ - >/dev/null 2>&1
}

packages=
need() {
  packages="$packages $1"
}
command -v c++ >/dev/null 2>&1 || need g++
"$python" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
"$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
  need python3-dev
has_header zlib.h || need zlib1g-dev
has_header openssl/evp.h || need libssl-dev
required=$packages
# CMake fetches these three from GitHub where they are missing; the packages save it the download.
headers=
for pair in CLI/CLI.hpp:libcli11-dev nlohmann/json.hpp:nlohmann-json3-dev \
  doctest/doctest.h:doctest-dev; do
  has_header "${pair%%:*}" || [ -e "$folder/usr/include/${pair%%:*}" ] || headers="$headers ${pair#*:}"
done
packages="$packages$headers"
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  as_root=none
elif [ "$(id -u)" = 0 ]; then
  as_root=
elif sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  as_root=none
fi
if [ "$as_root" = none ]; then
  if [ -n "$required" ]; then
    echo "system: expected Debian's packages$required, got none of them installed;" \
      "install them: sudo apt-get install$packages" >&2
    exit 2
  fi
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  # shellcheck disable=SC2086 # split the list into words
  if (cd "$scratch" && apt-get download -qq $headers) >/dev/null 2>&1; then
    mkdir -p "$folder"
    for package in "$scratch"/*.deb; do dpkg-deb -x "$package" "$folder"; done
    echo "Unpacked into $folder, since they can't be installed without root:$headers"
  else
    echo "Not installed, to be fetched from GitHub by CMake:$headers"
  fi
  exit 0
fi
echo "Installing Debian's packages:$packages"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # split the list into words
$as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null
