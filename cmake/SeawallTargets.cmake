# The kinds of target of this project. Sources are globbed with CONFIGURE_DEPENDS: a new file needs no edit here.

# Settings that every target of ours shares. Options must be equal everywhere, or a target cannot reuse a precompiled header.
function(seawall_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  set(werror)
  if(SEAWALL_WERROR) # less what GCC 12 gets wrong in std::string, empty packs and GoogleTest's macros
    set(werror -Werror -Wno-error=stringop-overread -Wno-error=maybe-uninitialized -Wno-error=dangling-else
               -Wno-error=unused-but-set-parameter)
  endif()
  # Designated initializers leave fields out on purpose; GCC 12 sees overflows of std::string that are not there.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-missing-field-initializers -Wno-stringop-overflow -Wno-array-bounds -Wno-restrict
                                           ${werror})
endfunction()

# Precompiled header `light` (std and Tensor.h) or `torch` (what model and trainer code includes). Parsing these is most of
# the build time, so there are two and every other target reuses one.
function(seawall_pch kind)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/pch_${kind}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Carries the precompiled header.\n")
  add_library(seawall_pch_${kind} OBJECT EXCLUDE_FROM_ALL ${source})
  seawall_settings(seawall_pch_${kind})
  target_link_libraries(seawall_pch_${kind} PRIVATE seawall::torch_headers)
  target_precompile_headers(seawall_pch_${kind} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch_${kind}.hpp)
  set_target_properties(seawall_pch_${kind} PROPERTIES UNITY_BUILD OFF) # tests/rules looks for it by name
  target_include_directories(seawall_pch_${kind} PRIVATE ${PROJECT_SOURCE_DIR}/include)
endfunction()

# Numeric kernels `*_avx2.cpp`, `*_avx512.cpp` and `*_avx512bf16.cpp` are compiled for their instructions and dispatched at run time.
function(seawall_kernel_flags)
  foreach(source IN LISTS ARGN)
    if(source MATCHES "_avx2\\.cpp$")
      set(flags -O3 -ffp-contract=fast -mavx2 -mfma)
    elseif(source MATCHES "_avx512(bf16)?\\.cpp$")
      set(flags -O3 -ffp-contract=fast -mavx2 -mfma -mavx512f -mavx512bw -mavx512vl -mavx512dq)
      if(source MATCHES "_avx512bf16\\.cpp$")
        list(APPEND flags -mavx512bf16)
      endif()
    else()
      continue()
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}" SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
endfunction()

# A static library of `sources`, or an interface library while there are none.
function(seawall_library target pch sources links)
  if(sources)
    add_library(${target} STATIC ${sources})
    seawall_settings(${target})
    seawall_kernel_flags(${sources})
    target_precompile_headers(${target} REUSE_FROM seawall_pch_${pch})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(${target} ${scope} ${links})
  add_library(seawall::${target} ALIAS ${target})
endfunction()

# seawall_room(NAME PCH light|torch LINK ... [DEFINE ...]): the library seawall_NAME from src/NAME. Whoever links it sees
# include/ alone; the private headers in src/ are for the rooms themselves, their tests and the benches.
function(seawall_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PCH" "LINK;DEFINE")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.cpp)
  seawall_library(seawall_${room} ${arg_PCH} "${sources}" "${arg_LINK}")
  get_target_property(type seawall_${room} TYPE)
  if(type STREQUAL INTERFACE_LIBRARY)
    set(scope INTERFACE)
  else()
    set(scope PUBLIC)
    target_compile_definitions(seawall_${room} PRIVATE ${arg_DEFINE})
    target_include_directories(seawall_${room} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  endif()
  target_include_directories(seawall_${room} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

# seawall_plugins(PCH ... LINK ...): the library seawall_plugins from attacks/ and mitigations/.
function(seawall_plugins)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PCH" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/attacks/*.cpp ${PROJECT_SOURCE_DIR}/mitigations/*.cpp)
  seawall_library(seawall_plugins ${arg_PCH} "${sources}" "${arg_LINK}")
  if(sources)
    set(scope PUBLIC)
  else()
    set(scope INTERFACE)
  endif()
  target_include_directories(
    seawall_plugins ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/seawall-plugins>)
endfunction()

# seawall_executable(NAME PCH ... SOURCES ... LINK ...)
function(seawall_executable target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PCH" "SOURCES;LINK")
  add_executable(${target} ${arg_SOURCES})
  seawall_settings(${target})
  target_link_libraries(${target} PRIVATE ${arg_LINK})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_precompile_headers(${target} REUSE_FROM seawall_pch_${arg_PCH})
endfunction()

# seawall_programs(FOLDER PCH ... LINK ...): one executable a file of FOLDER, in the top of the build tree.
function(seawall_programs folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PCH" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    if(name STREQUAL "seawall") # the target's name is taken by the library that users link
      set(target seawall_program)
    else()
      set(target ${name})
    endif()
    seawall_executable(${target} PCH ${arg_PCH} SOURCES ${source} LINK ${arg_LINK})
    # Installed, a program still finds the libtorch that it was linked with.
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
                                               INSTALL_RPATH_USE_LINK_PATH ON)
  endforeach()
endfunction()

# seawall_embed_kernels(TARGET ROOT FILE...): kernels for a GPU and the headers that they include, as texts in the program,
# which are compiled for the GPU that is there when one is used.
function(seawall_embed_kernels target)
  set(content "// Written by the build.\n#include \"device/kernel_source.hpp\"\nnamespace seawall::device {\n")
  string(APPEND content "namespace {\nconstexpr KernelSource sources[] = {\n")
  foreach(file IN LISTS ARGN)
    file(READ ${PROJECT_SOURCE_DIR}/${file} text)
    string(REGEX REPLACE "^(include|src)/" "" name ${file})
    string(APPEND content "{\"${name}\", R\"kernels(${text})kernels\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${file})
  endforeach()
  string(APPEND content "};\n}  // namespace\n"
                        "std::span<const KernelSource> kernel_sources() { return sources; }\n}  // namespace seawall::device\n")
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/kernel_sources.cpp CONTENT "${content}")
  target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/kernel_sources.cpp)
endfunction()
