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

# bnbench_header_library(name PACKAGE package TARGET imported-target DEBIAN debian-package
#                        INCLUDE_DIR folder-in-archive URL url SHA256 hash)
# makes bnbench::name. The fetched project's own CMakeLists is not run (SOURCE_SUBDIR names no
# folder): it would only add its tests, options and install rules to ours.
function(bnbench_header_library name)
  cmake_parse_arguments(ARG "" "PACKAGE;TARGET;DEBIAN;URL;SHA256;INCLUDE_DIR" "" ${ARGN})
  find_package(${ARG_PACKAGE} QUIET CONFIG)
  add_library(bnbench_${name} INTERFACE)
  if(TARGET ${ARG_TARGET})
    target_link_libraries(bnbench_${name} INTERFACE ${ARG_TARGET})
  else()
    string(TOUPPER "FETCHCONTENT_SOURCE_DIR_${name}" _folder_variable)
    cmake_path(GET ARG_URL FILENAME _archive)
    set(_archive "${CMAKE_CURRENT_BINARY_DIR}/fetched/${name}-${_archive}")
    if(NOT ${_folder_variable} AND NOT EXISTS "${_archive}")
      message(STATUS "bnbench: ${ARG_PACKAGE} is not installed, fetching ${ARG_URL}")
      file(DOWNLOAD "${ARG_URL}" "${_archive}" INACTIVITY_TIMEOUT 30 STATUS _status)
      list(POP_FRONT _status _code _reason)
      if(NOT _code EQUAL 0)
        file(REMOVE "${_archive}")
        message(FATAL_ERROR
          "bnbench needs the headers of ${ARG_PACKAGE}: they are not installed, and ${ARG_URL} "
          "can't be fetched (${_reason}). Install them (Debian package ${ARG_DEBIAN}), name the "
          "folder they are installed under in the environment variable CMAKE_PREFIX_PATH, or "
          "unpack that archive and name its folder: "
          "CMAKE_ARGS=-D${_folder_variable}=/folder make setup")
      endif()
    endif()
    FetchContent_Declare(${name}
      URL "${_archive}" URL_HASH "SHA256=${ARG_SHA256}"
      DOWNLOAD_EXTRACT_TIMESTAMP FALSE SOURCE_SUBDIR no-cmake)
    FetchContent_MakeAvailable(${name})
    target_include_directories(bnbench_${name} SYSTEM INTERFACE
      "${${name}_SOURCE_DIR}/${ARG_INCLUDE_DIR}")
  endif()
  add_library(bnbench::${name} ALIAS bnbench_${name})
endfunction()

if(NOT BNBENCH_FILES_ONLY)
  bnbench_header_library(cli11 PACKAGE CLI11 TARGET CLI11::CLI11 DEBIAN libcli11-dev INCLUDE_DIR include
    URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.4.2.tar.gz
    SHA256 f2d893a65c3b1324c50d4e682c0cdc021dd0477ae2c048544f39eed6654b699a)
endif()
bnbench_header_library(json PACKAGE nlohmann_json TARGET nlohmann_json::nlohmann_json DEBIAN nlohmann-json3-dev
  INCLUDE_DIR include
  URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
  SHA256 d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)
if(BNBENCH_BUILD_TESTS)
  bnbench_header_library(doctest PACKAGE doctest TARGET doctest::doctest DEBIAN doctest-dev INCLUDE_DIR .
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
