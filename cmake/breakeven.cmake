# breakeven_library(NAME SOURCES … [UNIT …] [FUZZ …] [LIBS …])
# A static library NAME, a cmocka program for each UNIT and a fuzz target for each FUZZ.
if(BREAKEVEN_TESTS)
  pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()

# What cmocka prints when every test of a program skipped itself and none failed (FAILED
# would come last): for want of a corpus that is not ours.
set(breakeven_all_skipped "PASSED  \\] 0 test\\(s\\)\\.\n\\[  SKIPPED \\][^F]*$")

function(breakeven_unit library name)
  add_executable(test_${name} ${CMAKE_SOURCE_DIR}/tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE ${library} PkgConfig::cmocka)
  target_compile_options(test_${name} PRIVATE -UNDEBUG) # a test's assert is its verdict
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/lib)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 300 LABELS unit
    SKIP_REGULAR_EXPRESSION "${breakeven_all_skipped}")
endfunction()

function(breakeven_fuzz library name)
  add_executable(fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c
    $<$<NOT:$<BOOL:${BREAKEVEN_FUZZ}>>:${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c>)
  target_link_libraries(fuzz_${name} PRIVATE ${library})
  target_compile_options(fuzz_${name} PRIVATE -UNDEBUG)
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/lib)
  if(BREAKEVEN_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_test(NAME fuzz.${name}
      COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
  endif()
endfunction()

function(breakeven_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;UNIT;FUZZ;LIBS" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC breakeven_flags ${arg_LIBS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE breakeven_flags ${arg_LIBS})
  endif()
  if(BREAKEVEN_TESTS)
    foreach(unit ${arg_UNIT})
      breakeven_unit(${name} ${unit})
    endforeach()
    foreach(fuzz ${arg_FUZZ})
      breakeven_fuzz(${name} ${fuzz})
    endforeach()
  endif()
endfunction()
