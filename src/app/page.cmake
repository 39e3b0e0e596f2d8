# Compiles the built page (web/build) into the program. Without a built page the program serves the API alone.
# Included for its target; run as a script (cmake -P) it writes an assembly file that includes each file's bytes.
if(CMAKE_SCRIPT_MODE_FILE)
  file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE ${PAGE_DIRECTORY} ${PAGE_DIRECTORY}/*)
  list(SORT files)
  set(bytes "")
  set(table "")
  set(number 0)
  foreach(file IN LISTS files)
    string(APPEND bytes "path_${number}: .asciz \"/${file}\"\nbegin_${number}: .incbin \"${PAGE_DIRECTORY}/${file}\"\nend_${number}: .byte 0\n")
    string(APPEND table "    .quad path_${number}, begin_${number}, end_${number}\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(WRITE ${OUTPUT}
       "# Written by the build from web/build.\n    .section .rodata\n${bytes}\n"
       "    .section .data.rel.ro, \"aw\"\n    .balign 8\n    .globl spaktok_page_files\nspaktok_page_files:\n${table}"
       "    .globl spaktok_page_files_end\nspaktok_page_files_end:\n    .section .note.GNU-stack, \"\", %progbits\n")
  return()
endif()

enable_language(ASM)
set(page_source ${CMAKE_BINARY_DIR}/generated/page.S)
set(page_stamp ${CMAKE_SOURCE_DIR}/web/build/200.html)
if(NOT EXISTS ${page_stamp})
  set(page_stamp "")  # built later: configure again, as ./run and ./test do
endif()
add_custom_command(
  OUTPUT ${page_source}
  COMMAND ${CMAKE_COMMAND} -DPAGE_DIRECTORY=${CMAKE_SOURCE_DIR}/web/build -DOUTPUT=${page_source} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${page_stamp} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the page" VERBATIM)
target_sources(spaktok_app PRIVATE ${page_source})
set_source_files_properties(${page_source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
