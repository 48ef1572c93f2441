# The vocabulary of every CMakeLists.txt here: add_module for a folder's library, add_program for a
# daemon or tool, add_unit_test for the tests of one folder, add_fuzzer for one parser.
# Sources are listed, never globbed; all policy (warnings, sanitizers) lives in mcguard_policy.

add_library(mcguard_policy INTERFACE)
target_compile_features(mcguard_policy INTERFACE cxx_std_20)
target_include_directories(mcguard_policy INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
# GCC 12 takes the payload of an std::optional for uninitialised when it optimises.
target_compile_options(mcguard_policy INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:GNU>:-fcoroutines>)
# When it optimises it also takes Asio's recycled coroutine frames for mismatched new and delete, and
# std::string's own moves for overlapping copies (gcc.gnu.org/PR105651).
target_compile_options(mcguard_policy INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-mismatched-new-delete -Wno-restrict>)
if(MCGUARD_WERROR)
  target_compile_options(mcguard_policy INTERFACE -Werror)
endif()
if(MCGUARD_SANITIZE)
  target_compile_options(mcguard_policy INTERFACE -fsanitize=${MCGUARD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(mcguard_policy INTERFACE -fsanitize=${MCGUARD_SANITIZE})
  if(MCGUARD_SANITIZE MATCHES thread)
    target_compile_options(mcguard_policy INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()
if(MCGUARD_FUZZ)
  # clang 14 cannot emit the function sanitizer for coroutines (llvm#49689).
  set(fuzz_flags -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=function
      -fno-sanitize-recover=all)
  target_compile_options(mcguard_policy INTERFACE ${fuzz_flags} -Wno-unused-command-line-argument)
  target_link_options(mcguard_policy INTERFACE -fsanitize=address,undefined -fno-sanitize=function)
endif()
target_link_libraries(mcguard_policy INTERFACE Threads::Threads)

# Several sources of a target are compiled as one (a build from nothing takes half the time), but not with
# the preset dev. These stay by themselves: their file-local names clash with a neighbour's.
set(compiled_alone
  agent/incident/json.cc agent/runbook/policy.cc agent/web/console_region.cc
  base/memcache/binary_parser.cc proxy/admin/metrics.cc
  tests/unit/agent/coord/epoch_change_test.cc tests/unit/agent/runbook/loader_test.cc
  tests/unit/base/memcache/binary_parser_test.cc tests/unit/base/telemetry/log_writer_test.cc)
function(compile_together name)
  foreach(source IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH source NORMALIZE)
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    if(source IN_LIST compiled_alone)
      set_source_files_properties(${PROJECT_SOURCE_DIR}/${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
  if(MCGUARD_TOGETHER)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    # A coroutine's frame may hold what is local to its file: GCC takes the file for a header here.
    target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# Some optimisation in builds that have none: for what would compute for minutes without.
function(always_optimise name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Sanitize,Debug>:-O1>)
endfunction()

# add_module(NAME [BUSY] [SRCS a.cc …] [HDRS a.h …] [DEPS target …] [PRIVATE_DEPS target …])
# One folder, one noun, one target. Every header listed is also compiled alone.
# BUSY: it computes a lot, so it is optimised in builds for debugging and sanitizers, too.
function(add_module name)
  cmake_parse_arguments(arg "BUSY" "" "SRCS;HDRS;DEPS;PRIVATE_DEPS" ${ARGN})
  set(alone)
  foreach(header IN LISTS arg_HDRS)
    cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}
               OUTPUT_VARIABLE folder)
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/alone_${header}.cc)
    file(CONFIGURE OUTPUT ${probe} CONTENT "#include \"${folder}/${header}\"\n")
    list(APPEND alone ${probe})
  endforeach()
  if(arg_SRCS)
    add_library(${name} STATIC ${arg_SRCS})
    target_link_libraries(${name} PUBLIC mcguard_policy ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
    compile_together(${name} ${arg_SRCS})
    if(arg_BUSY)
      always_optimise(${name})
    endif()
  else()
    add_library(${name} INTERFACE)  # headers alone
    target_link_libraries(${name} INTERFACE mcguard_policy ${arg_DEPS})
  endif()
  if(alone AND MCGUARD_HEADERS_ALONE)
    add_library(${name}_headers OBJECT EXCLUDE_FROM_ALL ${alone})
    target_link_libraries(${name}_headers PRIVATE ${name})
    target_compile_options(${name}_headers PRIVATE -fsyntax-only)
    add_dependencies(headers_alone ${name}_headers)
  endif()
endfunction()

# add_program(NAME SRCS main.cc … DEPS target …): an executable in build/<preset>/bin.
function(add_program name)
  cmake_parse_arguments(arg "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE mcguard_policy ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# add_unit_test(NAME [THREADS] [BUSY] SRCS x_test.cc … DEPS target …): one gtest executable per folder under
# test. THREADS: more than one thread runs in it. The others have nothing to show the thread sanitizer and
# are left out of its build. BUSY: as add_module's.
function(add_unit_test name)
  cmake_parse_arguments(arg "THREADS;BUSY" "" "SRCS;DEPS" ${ARGN})
  if(NOT MCGUARD_TESTS OR (MCGUARD_SANITIZE MATCHES thread AND NOT arg_THREADS))
    return()
  endif()
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE mcguard_policy ${arg_DEPS} test_support GTest::gmock GTest::gtest_main)
  compile_together(${name} ${arg_SRCS})
  if(arg_BUSY)
    always_optimise(${name})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(MCGUARD_SANITIZE)
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 400)
  else()
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()

# add_fuzzer(NAME SRCS x_fuzz.cc DEPS target …): a libFuzzer target with the fuzz preset; elsewhere the
# same entry point replays tests/fuzz/corpus/<name>/ as a test.
function(add_fuzzer name)
  if(NOT MCGUARD_TESTS OR MCGUARD_SANITIZE MATCHES thread)  # a parser has one thread
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SRCS;DEPS" ${ARGN})
  if(MCGUARD_FUZZ)
    add_executable(${name} ${arg_SRCS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
  else()
    add_executable(${name} ${arg_SRCS} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${name}_replay COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(${name}_replay PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  target_link_libraries(${name} PRIVATE mcguard_policy ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
endfunction()
