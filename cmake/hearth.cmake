# Third-party packages and the three functions every other CMake file is written in.

find_program(HEARTH_CCACHE ccache)
if(HEARTH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HEARTH_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
find_package(Boost 1.81 REQUIRED)
if(HEARTH_WITH_TORCH)
  find_package(Torch REQUIRED)
  add_library(hearth_torch INTERFACE)
  target_include_directories(hearth_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(hearth_torch INTERFACE ${TORCH_LIBRARIES})
  if("${HEARTH_SANITIZE}" MATCHES "undefined")
    # LibTorch does not export the type information of every class that its headers use.
    target_compile_options(hearth_torch INTERFACE -fno-sanitize=vptr)
  endif()
endif()
if(HEARTH_BUILD_PROGRAMS OR HEARTH_BUILD_TESTS OR HEARTH_BUILD_BENCH)
  pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
endif()

# Flags for our own code only; never exported. No fused multiply-add: same seed, same bytes on any processor.
add_library(hearth_flags INTERFACE)
target_compile_options(hearth_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -ffp-contract=off
  $<$<BOOL:${HEARTH_WARNINGS_AS_ERRORS}>:-Werror>)
if(HEARTH_SANITIZE)
  target_compile_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
  if(HEARTH_SANITIZE MATCHES thread)
    target_compile_options(hearth_flags INTERFACE -Wno-tsan)  # Asio's fences, which g++ warns about in every includer
  endif()
endif()

# hearth_library(name SOURCES a.cpp ... LINKS public... PRIVATE_LINKS private...): a static library of one layer.
function(hearth_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/runtime/include)
  target_link_libraries(${name} PUBLIC ${ARG_LINKS} PRIVATE hearth_flags ${ARG_PRIVATE_LINKS})
endfunction()

# hearth_program(name SOURCES ... LINKS ...)
function(hearth_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hearth_flags ${ARG_LINKS})
endfunction()

# hearth_test(name LABEL unit|sim|loopback|torch|package SOURCES ... LINKS ...): one Catch2 program, run as one test.
function(hearth_test name)
  cmake_parse_arguments(ARG "" "LABEL;WORKDIR" "SOURCES;LINKS" ${ARGN})
  hearth_program(${name} SOURCES ${ARG_SOURCES} LINKS hearth_test_main ${ARG_LINKS})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # Properties are checked on the same cases each time; to explore, run the program with RC_PARAMS of your own.
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT 300 ENVIRONMENT "RC_PARAMS=seed=1 max_success=1000")
endfunction()
