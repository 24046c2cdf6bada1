# Finds LibTorch and makes the targets LibTorch::c10 and LibTorch::torch_cpu.
#
# The config file that torch ships insists on a CUDA toolkit whenever the wheel is a CUDA build, and
# links CUDA's libraries into everything. bnbench only needs the CPU half, so it describes that half
# itself: two shared libraries and the headers. CUDA is opened at run time when it is asked for.
#
# Looked for, in this order:
#   1. LIBTORCH_DIR, then CMAKE_PREFIX_PATH: a LibTorch folder (with include/ and lib/) or a prefix
#      holding one;
#   2. the torch package of Python_EXECUTABLE, if that is set; else of the active virtual
#      environment, else of python3 on the PATH. Works below pip's build isolation as well;
#   3. the torch package of the checkout's own .venv.
#
# Sets LibTorch_ROOT_DIR, LibTorch_LIBRARY_DIR, LibTorch_VERSION and, where the folder came from an
# interpreter, LibTorch_PYTHON.

set(_libtorch_tried "")

# Sets LibTorch_ROOT_DIR in the caller if `folder` is a LibTorch folder.
function(_libtorch_try folder)
  if(LibTorch_ROOT_DIR OR NOT folder)
    return()
  endif()
  list(APPEND _libtorch_tried "${folder}")
  set(_libtorch_tried "${_libtorch_tried}" PARENT_SCOPE)
  foreach(_library IN ITEMS lib/libtorch_cpu.so lib/libtorch_cpu.dylib)
    if(EXISTS "${folder}/${_library}" AND EXISTS "${folder}/include/ATen/core/Tensor.h")
      file(REAL_PATH "${folder}" _real)
      set(LibTorch_ROOT_DIR "${_real}" PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# Asks an interpreter where its torch lies, without importing torch. find_spec sees what the
# interpreter sees; the sysconfig and user folders are asked as well because pip's build isolation
# hides the environment's packages from the import system, yet they are what will be used later.
function(_libtorch_try_python interpreter)
  if(LibTorch_ROOT_DIR OR NOT interpreter OR NOT EXISTS "${interpreter}")
    return()
  endif()
  set(_script [[
import importlib.util, os, site, sysconfig
spec = importlib.util.find_spec("torch")
found = list(spec.submodule_search_locations or ()) if spec else []
bases = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
if site.ENABLE_USER_SITE:
    bases.append(site.getusersitepackages())
found += [os.path.join(base, "torch") for base in bases]
print(";".join(dict.fromkeys(found)))
]])
  execute_process(COMMAND "${interpreter}" -c "${_script}"
    OUTPUT_VARIABLE _folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  foreach(_folder IN LISTS _folders)
    _libtorch_try("${_folder}")
    if(LibTorch_ROOT_DIR)
      set(LibTorch_PYTHON "${interpreter}" PARENT_SCOPE)
      break()
    endif()
  endforeach()
  set(LibTorch_ROOT_DIR "${LibTorch_ROOT_DIR}" PARENT_SCOPE)
  set(_libtorch_tried "${_libtorch_tried}" PARENT_SCOPE)
endfunction()

set(LibTorch_ROOT_DIR "")
foreach(_prefix IN LISTS LIBTORCH_DIR CMAKE_PREFIX_PATH)
  foreach(_folder IN ITEMS "${_prefix}" "${_prefix}/libtorch" "${_prefix}/torch" "${_prefix}/../..")
    _libtorch_try("${_folder}") # …/../.. because torch.utils.cmake_prefix_path is torch/share/cmake
  endforeach()
endforeach()

if(LIBTORCH_DIR AND NOT LibTorch_ROOT_DIR)
  message(FATAL_ERROR
    "LIBTORCH_DIR must be a LibTorch folder, one that holds include/ATen and lib/libtorch_cpu.so; "
    "found none at ${LIBTORCH_DIR}.")
endif()

if(NOT LibTorch_ROOT_DIR)
  find_program(BNBENCH_PYTHON3 python3 DOC "Interpreter asked for its torch if none is given")
  # scikit-build-core sets Python_EXECUTABLE: then no other interpreter's torch will do.
  set(_interpreters "${Python_EXECUTABLE}")
  if(NOT _interpreters)
    set(_interpreters "$ENV{VIRTUAL_ENV}/bin/python" "${BNBENCH_PYTHON3}"
        "${CMAKE_CURRENT_LIST_DIR}/../../.venv/bin/python")
  endif()
  foreach(_interpreter IN LISTS _interpreters)
    _libtorch_try_python("${_interpreter}")
  endforeach()
  if(LibTorch_PYTHON AND NOT Python_EXECUTABLE)
    # The module must be built for the interpreter whose torch it will use. Not REAL_PATH: a virtual
    # environment's interpreter is a link, and following it would leave the environment.
    cmake_path(ABSOLUTE_PATH LibTorch_PYTHON NORMALIZE)
    set(Python_EXECUTABLE "${LibTorch_PYTHON}")
  endif()
endif()

if(LibTorch_ROOT_DIR)
  set(LibTorch_LIBRARY_DIR "${LibTorch_ROOT_DIR}/lib")
  set(LibTorch_VERSION "")
  foreach(_header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(NOT LibTorch_VERSION AND EXISTS "${LibTorch_ROOT_DIR}/include/${_header}")
      file(STRINGS "${LibTorch_ROOT_DIR}/include/${_header}" _lines
           REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
      list(TRANSFORM _lines REPLACE "^.* " "")
      list(JOIN _lines "." LibTorch_VERSION)
    endif()
  endforeach()
endif()

if(NOT LibTorch_ROOT_DIR AND NOT LibTorch_FIND_QUIETLY)
  list(REMOVE_DUPLICATES _libtorch_tried)
  list(JOIN _libtorch_tried "\n  " _tried)
  message(FATAL_ERROR
    "bnbench needs LibTorch, and found none. Either install torch into the Python environment "
    "that builds it (python -m pip install torch), or unpack LibTorch from pytorch.org and pass "
    "-DLIBTORCH_DIR=/path/to/libtorch.\nLooked in:\n  ${_tried}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_ROOT_DIR
                                  VERSION_VAR LibTorch_VERSION)

if(LibTorch_FOUND AND NOT TARGET LibTorch::torch_cpu)
  find_package(Threads REQUIRED)
  foreach(_name IN ITEMS c10 torch_cpu)
    find_library(_libtorch_${_name} NAMES ${_name} PATHS "${LibTorch_LIBRARY_DIR}"
                 NO_DEFAULT_PATH NO_CACHE REQUIRED)
    add_library(LibTorch::${_name} SHARED IMPORTED)
    set_target_properties(LibTorch::${_name} PROPERTIES
      IMPORTED_LOCATION "${_libtorch_${_name}}"
      INTERFACE_INCLUDE_DIRECTORIES
        "${LibTorch_ROOT_DIR}/include;${LibTorch_ROOT_DIR}/include/torch/csrc/api/include")
  endforeach()
  target_link_libraries(LibTorch::torch_cpu INTERFACE LibTorch::c10 Threads::Threads)
  if(NOT APPLE)
    # libtorch_cpu names CUDA libraries of its own which it finds by its own run path; that the
    # linker cannot see them is no fault of ours.
    target_link_options(LibTorch::torch_cpu INTERFACE "LINKER:--allow-shlib-undefined")
  endif()
endif()
