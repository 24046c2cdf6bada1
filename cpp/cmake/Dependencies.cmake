# Everything the C++ side stands on. Installed packages come first; the three header-only libraries
# are fetched from their official releases, checked by SHA-256, where they are not installed.

if(NOT BNBENCH_FILES_ONLY)
  find_package(LibTorch REQUIRED)
endif()

find_package(ZLIB QUIET)
find_package(OpenSSL QUIET COMPONENTS Crypto)
set(_missing "")
if(NOT TARGET ZLIB::ZLIB)
  list(APPEND _missing "zlib (Debian package zlib1g-dev)")
endif()
if(NOT TARGET OpenSSL::Crypto)
  list(APPEND _missing "OpenSSL (Debian package libssl-dev)")
endif()
if(_missing)
  list(JOIN _missing " and " _missing)
  message(FATAL_ERROR
    "bnbench needs the headers of ${_missing} and found none. Install them, on Debian or Ubuntu "
    "with: apt-get install zlib1g-dev libssl-dev")
endif()

include(FetchContent)

# bnbench_header_library(name HEADER header DEBIAN debian-package INCLUDE_DIR folder-in-archive
#                        URL url SHA256 hash)
# makes bnbench::name of the folder that has the header: below CMAKE_PREFIX_PATH, the system's, or
# that of the fetched archive. No CMake file of the library is run: doctest's of Debian knows no
# folder but /usr, and those in the archives would add tests, options and install rules to ours.
function(bnbench_header_library name)
  cmake_parse_arguments(ARG "" "HEADER;DEBIAN;URL;SHA256;INCLUDE_DIR" "" ${ARGN})
  string(TOUPPER "${name}" _upper)
  find_path(BNBENCH_${_upper}_INCLUDE_DIR "${ARG_HEADER}" DOC "Folder with ${ARG_HEADER}")
  set(_include_dir "${BNBENCH_${_upper}_INCLUDE_DIR}")
  if(NOT _include_dir)
    cmake_path(GET ARG_URL FILENAME _archive)
    set(_archive "${CMAKE_CURRENT_BINARY_DIR}/fetched/${name}-${_archive}")
    if(NOT FETCHCONTENT_SOURCE_DIR_${_upper} AND NOT EXISTS "${_archive}")
      message(STATUS "bnbench: ${ARG_HEADER} is not installed, fetching ${ARG_URL}")
      file(DOWNLOAD "${ARG_URL}" "${_archive}" INACTIVITY_TIMEOUT 30 STATUS _status)
      list(POP_FRONT _status _code _reason)
      if(NOT _code EQUAL 0)
        file(REMOVE "${_archive}")
        message(FATAL_ERROR
          "bnbench needs ${ARG_HEADER}: it is not installed, and ${ARG_URL} can't be fetched "
          "(${_reason}). Install it (Debian package ${ARG_DEBIAN}), or unpack that archive and "
          "name the folder: CMAKE_ARGS=-DFETCHCONTENT_SOURCE_DIR_${_upper}=/folder make setup")
      endif()
    endif()
    FetchContent_Declare(${name}
      URL "${_archive}" URL_HASH "SHA256=${ARG_SHA256}"
      DOWNLOAD_EXTRACT_TIMESTAMP FALSE SOURCE_SUBDIR no-cmake)
    FetchContent_MakeAvailable(${name})
    set(_include_dir "${${name}_SOURCE_DIR}/${ARG_INCLUDE_DIR}")
  endif()
  add_library(bnbench_${name} INTERFACE)
  target_include_directories(bnbench_${name} SYSTEM INTERFACE "${_include_dir}")
  add_library(bnbench::${name} ALIAS bnbench_${name})
endfunction()

bnbench_header_library(cli11 HEADER CLI/CLI.hpp DEBIAN libcli11-dev INCLUDE_DIR include
  URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.4.2.tar.gz
  SHA256 f2d893a65c3b1324c50d4e682c0cdc021dd0477ae2c048544f39eed6654b699a)
bnbench_header_library(json HEADER nlohmann/json.hpp DEBIAN nlohmann-json3-dev INCLUDE_DIR include
  URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
  SHA256 d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)
if(BNBENCH_BUILD_TESTS)
  bnbench_header_library(doctest HEADER doctest/doctest.h DEBIAN doctest-dev INCLUDE_DIR .
    URL https://github.com/doctest/doctest/archive/refs/tags/v2.4.11.tar.gz
    SHA256 632ed2c05a7f53fa961381497bf8069093f0d6628c5f26286161fbd32a560186)
endif()

if(BNBENCH_BUILD_PYTHON)
  set(PYBIND11_FINDPYTHON ON)
  if(NOT DEFINED pybind11_DIR AND LibTorch_PYTHON)
    # Outside scikit-build-core nobody has told CMake where PyPI's pybind11 keeps its files.
    execute_process(COMMAND "${LibTorch_PYTHON}" -m pybind11 --cmakedir
      OUTPUT_VARIABLE _pybind11_dir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    list(APPEND CMAKE_PREFIX_PATH ${_pybind11_dir})
  endif()
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
  find_package(pybind11 CONFIG QUIET)
  if(NOT pybind11_FOUND)
    message(FATAL_ERROR
      "BNBENCH_BUILD_PYTHON needs pybind11, and none was found beside ${Python_EXECUTABLE}.\n"
      "Install it with: ${Python_EXECUTABLE} -m pip install pybind11")
  endif()
endif()
