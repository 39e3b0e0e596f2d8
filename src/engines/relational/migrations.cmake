# Compiles migrations/NNNN_<name>.<engine>.sql and schema.txt into the program: a binary knows the schema that it was built for.
# Included for its target; run as a script (cmake -P) it writes the source file.
if(CMAKE_SCRIPT_MODE_FILE)
  file(GLOB scripts ${MIGRATIONS_DIRECTORY}/*.sqlite.sql)
  list(SORT scripts)
  set(entries "")
  foreach(script IN LISTS scripts)
    get_filename_component(stem ${script} NAME)
    if(NOT stem MATCHES "^0*([1-9][0-9]*)_([a-z_]+)\\.sqlite\\.sql$")
      message(FATAL_ERROR "${stem} is not named NNNN_<name>.sqlite.sql")
    endif()
    set(number ${CMAKE_MATCH_1})
    set(name ${CMAKE_MATCH_2})
    string(REPLACE ".sqlite.sql" ".postgres.sql" twin ${script})
    file(READ ${script} sqlite)
    file(READ ${twin} postgres)
    string(APPEND entries "    Migration{${number}, \"${name}\",\n"
           "R\"spaktok_sql(${sqlite})spaktok_sql\",\nR\"spaktok_sql(${postgres})spaktok_sql\"},\n")
  endforeach()
  file(READ ${MIGRATIONS_DIRECTORY}/schema.txt schema)
  file(WRITE ${OUTPUT}
       "// Written by the build from migrations/.\n"
       "#include \"engines/relational/migrations.h\"\n#include \"engines/relational/schema.h\"\n\n"
       "namespace spaktok::relational {\nnamespace {\n"
       "constexpr Migration embedded[] = {\n${entries}};\n}  // namespace\n"
       "std::span<const Migration> all_migrations() { return embedded; }\n"
       "std::string_view schema_text() { return R\"spaktok_schema(${schema})spaktok_schema\"; }\n"
       "}  // namespace spaktok::relational\n")
  return()
endif()

set(migrations_source ${CMAKE_BINARY_DIR}/generated/relational_migrations.cpp)
file(GLOB migrations_scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/migrations/*.sql
     ${CMAKE_CURRENT_LIST_DIR}/migrations/schema.txt)
add_custom_command(
  OUTPUT ${migrations_source}
  COMMAND ${CMAKE_COMMAND} -DMIGRATIONS_DIRECTORY=${CMAKE_CURRENT_LIST_DIR}/migrations -DOUTPUT=${migrations_source}
          -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${migrations_scripts} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding migrations" VERBATIM)
target_sources(spaktok_engines PRIVATE ${migrations_source})
