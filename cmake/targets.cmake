# spaktok_library(NAME DIR [LIBS…]): every .cpp below DIR that is not a test, as one static library.
function(spaktok_library name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${dir}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "(_(test|suite|fuzzer)|asio_implementation|precompiled|app/main)\\.cpp$")
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${ARGN} PRIVATE spaktok_warnings)
  target_precompile_headers(${name} REUSE_FROM spaktok_pch)
endfunction()

# spaktok_uses_mongoc(FILES…): the files of the current directory's targets that see the headers of MongoDB's driver, beside
# everything in engines/document/mongo.
function(spaktok_uses_mongoc)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engines/document/mongo/*.cpp)
  set(options ${MONGOC_INCLUDE_DIRS})
  list(TRANSFORM options PREPEND -isystem)
  set_source_files_properties(${files} ${ARGN} PROPERTIES COMPILE_OPTIONS "${options}")
endfunction()

# spaktok_test(NAME DIR [LIBS…]): every *_test.cpp and *_suite.cpp below DIR, as one test program.
# A suite whose name ends in "Concurrent" runs under ThreadSanitizer as well (`./test tsan`); that build leaves out
# the *_test.cpp that have none, and programs in which no file has one.
function(spaktok_test name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
       ${CMAKE_SOURCE_DIR}/src/${dir}/*_test.cpp ${CMAKE_SOURCE_DIR}/src/${dir}/*_suite.cpp)
  if(SPAKTOK_SANITIZE STREQUAL "thread")
    set(has_concurrent_tests FALSE)
    foreach(source IN LISTS sources)
      file(READ ${source} text)
      if(text MATCHES "Concurrent")
        set(has_concurrent_tests TRUE)
      elseif(source MATCHES "_test\\.cpp$" AND text MATCHES "TEST(_F|_P)?\\(")
        list(REMOVE_ITEM sources ${source})
      endif()
    endforeach()
    if(NOT has_concurrent_tests)
      return()
    endif()
  endif()
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARGN} spaktok_warnings gtest gmock gtest_main)
  target_precompile_headers(${name} REUSE_FROM spaktok_test_pch)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  set_property(GLOBAL APPEND PROPERTY SPAKTOK_TESTS ${name})
endfunction()
