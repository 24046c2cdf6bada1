#!/bin/sh
# Makes sure that the compiler, Python's headers and the C++ libraries are here. What is missing is
# installed from Debian's packages where root or sudo allows it; otherwise it is named.
# Usage: cpp/prepare-system.sh PYTHON
set -eu
python=$1

if ! command -v "$python" >/dev/null 2>&1 ||
  ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "required Python 3.11 or newer, found: $("$python" --version 2>&1 || echo none)." >&2
  echo "Install it, or name it: make PYTHON=/path/to/python3.12 ..." >&2
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
# CMake fetches these three where they are not installed; the packages save it the download.
has_header CLI/CLI.hpp || need libcli11-dev
has_header nlohmann/json.hpp || need nlohmann-json3-dev
has_header doctest/doctest.h || need doctest-dev
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=
elif sudo -n true 2>/dev/null; then
  as_root="sudo -n"
elif [ -z "$required" ]; then
  exit 0
else
  as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null 2>&1; then
  [ -n "$required" ] || exit 0
  echo "required, but not installed:$required (names of Debian's packages)." >&2
  echo "Install them, for instance with: sudo apt-get install$packages" >&2
  exit 2
fi
echo "installing from Debian's packages:$packages"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split
$as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null
