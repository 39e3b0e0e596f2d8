spaktok_test(base_test base spaktok_base)
spaktok_test(engines_test engines spaktok_engines)
spaktok_uses_mongoc()
spaktok_test(http_test http spaktok_http)
spaktok_test(gateway_test gateway spaktok_gateway)
spaktok_test(media_test media spaktok_media)
spaktok_test(features_test features spaktok_features)
if(TARGET features_test)  # its features run on PostgreSQL and MongoDB as well
  target_sources(features_test PRIVATE
    ${CMAKE_SOURCE_DIR}/src/engines/testing/testing_suite.cpp
    ${CMAKE_SOURCE_DIR}/src/engines/relational/postgres/test_server_suite.cpp
    ${CMAKE_SOURCE_DIR}/src/engines/document/mongo/test_server_suite.cpp)
endif()
# Not for this process but for the Redis server that tests start, so without its sanitizers.
add_library(frozen_clock MODULE EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/src/engines/realtime/redis/frozen_clock.c)
set_target_properties(frozen_clock PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
target_compile_options(frozen_clock PRIVATE -fno-sanitize=all)
target_link_options(frozen_clock PRIVATE -fno-sanitize=all)
foreach(test engines_test gateway_test features_test)  # run on Redis as well
  if(TARGET ${test})
    add_dependencies(${test} frozen_clock)
    if(NOT test STREQUAL "engines_test")
      target_sources(${test} PRIVATE ${CMAKE_SOURCE_DIR}/src/engines/realtime/redis/test_server_suite.cpp)
    endif()
  endif()
endforeach()
spaktok_test(app_test app spaktok_app)
if(TARGET app_test)  # moves places between all engines
  target_sources(app_test PRIVATE
    ${CMAKE_SOURCE_DIR}/src/engines/testing/testing_suite.cpp
    ${CMAKE_SOURCE_DIR}/src/engines/relational/postgres/test_server_suite.cpp
    ${CMAKE_SOURCE_DIR}/src/engines/document/mongo/test_server_suite.cpp
    ${CMAKE_SOURCE_DIR}/src/engines/realtime/redis/test_server_suite.cpp
    ${CMAKE_SOURCE_DIR}/src/engines/blob/s3/test_server_suite.cpp)
endif()
get_property(all_tests GLOBAL PROPERTY SPAKTOK_TESTS)
add_custom_target(tests DEPENDS ${all_tests})
