# Flags that every target of the project shares.
find_program(SPAKTOK_CCACHE ccache)
if(SPAKTOK_CCACHE)
  # The sloppiness settings let ccache work with precompiled headers; -fno-pch-timestamp below completes them.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${SPAKTOK_CCACHE})
endif()

add_compile_options(-Xclang -fno-pch-timestamp -fdiagnostics-color=auto)
add_compile_definitions(
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_DISABLE_VISIBILITY SPDLOG_FMT_EXTERNAL SPDLOG_COMPILED_LIB)

find_program(SPAKTOK_MOLD mold)
if(SPAKTOK_MOLD)
  add_link_options(-fuse-ld=mold)
else()
  add_link_options(-fuse-ld=lld-19)
endif()

if(SPAKTOK_SANITIZE)
  add_compile_options(-fsanitize=${SPAKTOK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SPAKTOK_SANITIZE})
endif()

# Warnings are errors in the project's own code only.
add_library(spaktok_warnings INTERFACE)
target_compile_options(spaktok_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Wno-missing-field-initializers
  -Wno-missing-designated-field-initializers)
