spaktok_test(base_test base spaktok_base)
spaktok_test(engines_test engines spaktok_engines)
spaktok_uses_mongoc()
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/engines/relational/schema_suite.cpp PROPERTIES
  COMPILE_DEFINITIONS SPAKTOK_SCHEMA_FILE="${CMAKE_SOURCE_DIR}/src/engines/relational/migrations/schema.txt")
spaktok_test(http_test http spaktok_http)
spaktok_test(gateway_test gateway spaktok_gateway)
spaktok_test(media_test media spaktok_media)
spaktok_test(features_test features spaktok_features)
if(TARGET features_test)  # its features run on PostgreSQL and MongoDB as well
  target_sources(features_test PRIVATE
    ${CMAKE_SOURCE_DIR}/src/engines/relational/postgres/test_server_suite.cpp
    ${CMAKE_SOURCE_DIR}/src/engines/document/mongo/test_server_suite.cpp)
endif()
spaktok_test(app_test app spaktok_app)
get_property(all_tests GLOBAL PROPERTY SPAKTOK_TESTS)
add_custom_target(tests DEPENDS ${all_tests})
