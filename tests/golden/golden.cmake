# Golden tests: recorded exchanges against an independent oracle. They skip themselves
# where the corpus is not at hand (BREAKEVEN_CORPUS, default ../shared/data).
foreach(golden estimate exchanges http mutations records tls)
  add_executable(golden_${golden} ${CMAKE_SOURCE_DIR}/tests/golden/golden_${golden}.c
    ${CMAKE_SOURCE_DIR}/tests/golden/corpus.c ${CMAKE_SOURCE_DIR}/tests/golden/verdict.c)
  target_link_libraries(golden_${golden} PRIVATE agent_core PkgConfig::cmocka
    PkgConfig::brotlidec PkgConfig::zlib)
  target_include_directories(golden_${golden} PRIVATE ${CMAKE_SOURCE_DIR}/tests/lib)
  add_test(NAME golden.${golden} COMMAND golden_${golden}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(golden.${golden} PROPERTIES TIMEOUT 300 LABELS golden
    SKIP_REGULAR_EXPRESSION "${breakeven_all_skipped}")
endforeach()
