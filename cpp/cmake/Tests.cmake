# bnbench_add_tests(library modules...): one executable with the <module>_test.cc beside each module
# of the library, and one test for each module, so that a failure names the module.

set(_suppressions "${PROJECT_SOURCE_DIR}/cpp/tests/suppressions")
set(BNBENCH_TEST_ENVIRONMENT
  # LibTorch is not instrumented: containers that it fills look overflown, and what it keeps for
  # the life of the process looks leaked.
  "ASAN_OPTIONS=detect_container_overflow=0"
  "LSAN_OPTIONS=suppressions=${_suppressions}/lsan.txt:print_suppressions=0"
  "TSAN_OPTIONS=suppressions=${_suppressions}/tsan.txt:ignore_noninstrumented_modules=1"
  "UBSAN_OPTIONS=print_stacktrace=1")

function(bnbench_add_tests library)
  if(NOT BNBENCH_BUILD_TESTS)
    return()
  endif()
  set(executable ${library}_tests)
  list(TRANSFORM ARGN APPEND _test.cc OUTPUT_VARIABLE sources)
  add_executable(${executable} ${sources})
  target_link_libraries(${executable} PRIVATE ${library} bnbench_fixtures)
  bnbench_configure_target(${executable})
  foreach(module IN LISTS ARGN)
    add_test(NAME ${module}
      COMMAND ${executable} --source-file=*/${module}_test.cc --no-skip=false)
    set_tests_properties(${module} PROPERTIES
      ENVIRONMENT "${BNBENCH_TEST_ENVIRONMENT}" TIMEOUT 120
      # doctest calls it a success when a filter matches nothing.
      FAIL_REGULAR_EXPRESSION "test cases:  *0 \\|")
  endforeach()
endfunction()
