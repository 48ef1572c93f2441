# embed_files(TARGET NAMESPACE ns FILES a b …): compiles text files into TARGET, so that the program
# needs no path at run time. Generates <target>_embedded.h/.cc with
#   namespace ns { std::string_view embedded(std::string_view file_name); }
# which returns the content of the file with that name (without its folder); an unknown name is a bug
# and gives an empty view.
function(embed_files target)
  cmake_parse_arguments(arg "" "NAMESPACE" "FILES" ${ARGN})
  set(entries "")
  foreach(file IN LISTS arg_FILES)
    cmake_path(ABSOLUTE_PATH file NORMALIZE OUTPUT_VARIABLE path)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    cmake_path(GET path FILENAME name)
    file(READ ${path} bytes HEX)
    string(LENGTH "${bytes}" digits)
    set(pieces "")
    set(at 0)
    while(at LESS digits)
      string(SUBSTRING "${bytes}" ${at} 160 piece)
      string(REGEX REPLACE "(..)" "\\\\x\\1" piece "${piece}")
      string(APPEND pieces "\n      \"${piece}\"")
      math(EXPR at "${at} + 160")
    endwhile()
    math(EXPR size "${digits} / 2")
    string(APPEND entries "  if (name == \"${name}\") return std::string_view(${pieces},\n      ${size});\n")
  endforeach()
  set(header ${CMAKE_CURRENT_BINARY_DIR}/embed/${target}_embedded.h)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embed/${target}_embedded.cc)
  file(CONFIGURE OUTPUT ${header} @ONLY CONTENT
"#pragma once
#include <string_view>
namespace @arg_NAMESPACE@ {
std::string_view embedded(std::string_view name);
}
")
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"#include \"@target@_embedded.h\"
namespace @arg_NAMESPACE@ {
std::string_view embedded(std::string_view name) {
@entries@  return {};
}
}
")
  target_sources(${target} PRIVATE ${source})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/embed)
endfunction()
