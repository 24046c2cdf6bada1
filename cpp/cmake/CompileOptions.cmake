# bnbench_configure_target(target): warnings, sanitizers and run paths of our own targets.

set(_warnings -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
              -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND _warnings -Wno-restrict) # false alarm in GCC 12's std::string operator+ (GCC bug 105651)
endif()
if(BNBENCH_WARNINGS_AS_ERRORS)
  list(APPEND _warnings -Werror)
endif()

function(bnbench_configure_target target)
  target_compile_options(${target} PRIVATE ${_warnings} -ffunction-sections -fdata-sections)
  if(BNBENCH_SANITIZE)
    # Recovery is off so that a finding fails the test it happened in.
    set(flags -fsanitize=${BNBENCH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(${target} PRIVATE ${flags})
    target_link_options(${target} PRIVATE ${flags})
  endif()
endfunction()

# bnbench_optimize_for_size(target...): a release's TARGETs have nothing hot in them, and much of the
# large header-only libraries.
function(bnbench_optimize_for_size)
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Os>)
  endforeach()
endfunction()

# bnbench_set_rpath(target path...): where the installed target looks for LibTorch. PATHs are
# relative to the target's own folder and come first, so that a relocated environment wins over
# the absolute folder that was there at build time.
function(bnbench_set_rpath target)
  if(APPLE)
    set(origin "@loader_path")
  else()
    set(origin "$ORIGIN")
  endif()
  list(TRANSFORM ARGN PREPEND "${origin}/" OUTPUT_VARIABLE rpath)
  list(APPEND rpath "${LibTorch_LIBRARY_DIR}")
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${rpath}")
endfunction()
