# Compiles api/openapi.yaml and api/realtime.md into the program.
# Included for its target; run as a script (cmake -P) it writes the source file.
if(CMAKE_SCRIPT_MODE_FILE)
  # A string literal may hold at most 65,536 characters, also one that the compiler joins: the pieces are joined at their first use.
  function(literal result file)
    file(READ ${file} text)
    string(LENGTH "${text}" length)
    set(pieces "")
    set(at 0)
    while(at LESS length)
      string(SUBSTRING "${text}" ${at} 16000 piece)
      string(APPEND pieces "    R\"spaktok_doc(${piece})spaktok_doc\",\n")
      math(EXPR at "${at} + 16000")
    endwhile()
    set(${result} "${pieces}" PARENT_SCOPE)
  endfunction()
  literal(openapi ${API_DIRECTORY}/openapi.yaml)
  literal(realtime ${API_DIRECTORY}/realtime.md)
  file(WRITE ${OUTPUT}
       "// Written by the build from api/.\n#include \"app/documents.h\"\n\n#include <initializer_list>\n#include <string>\n\n"
       "namespace spaktok::app {\nnamespace {\n"
       "std::string join(std::initializer_list<std::string_view> pieces) {\n"
       "    std::string text;\n    for (const auto piece : pieces) text += piece;\n    return text;\n}\n}  // namespace\n"
       "std::string_view openapi_document() {\n  static const std::string text = join({\n${openapi}});\n  return text;\n}\n"
       "std::string_view realtime_document() {\n  static const std::string text = join({\n${realtime}});\n  return text;\n}\n"
       "}  // namespace spaktok::app\n")
  return()
endif()

set(documents_source ${CMAKE_BINARY_DIR}/generated/documents.cpp)
add_custom_command(
  OUTPUT ${documents_source}
  COMMAND ${CMAKE_COMMAND} -DAPI_DIRECTORY=${CMAKE_SOURCE_DIR}/api -DOUTPUT=${documents_source} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${CMAKE_SOURCE_DIR}/api/openapi.yaml ${CMAKE_SOURCE_DIR}/api/realtime.md ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the API's documents" VERBATIM)
target_sources(spaktok_app PRIVATE ${documents_source})
