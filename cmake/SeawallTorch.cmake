# libtorch as imported targets. find_package(Torch) is not used: the CUDA wheel's config is fatal without a CUDA toolkit.
#
# TORCH_ROOT may be the cache folder that `make` fills, an unpacked libtorch archive (include/, lib/), or a wheel's torch/
# folder. Without it: the environment variable, then the cache, then the torch that python3 would import.
if(TARGET seawall::torch)
  return()
endif()
set(SEAWALL_TORCH_VERSION 2.15.0)

if(DEFINED ENV{SEAWALL_CACHE})
  set(seawall_cache $ENV{SEAWALL_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(seawall_cache $ENV{XDG_CACHE_HOME}/seawall)
else()
  set(seawall_cache $ENV{HOME}/.cache/seawall)
endif()

set(seawall_torch_default ${seawall_cache}/torch-${SEAWALL_TORCH_VERSION})
if(DEFINED ENV{TORCH_ROOT} AND NOT "$ENV{TORCH_ROOT}" STREQUAL "")
  set(seawall_torch_default $ENV{TORCH_ROOT})
elseif(NOT EXISTS ${seawall_torch_default} AND NOT TORCH_ROOT)
  find_program(seawall_python3 python3)
  mark_as_advanced(seawall_python3)
  if(seawall_python3)
    execute_process(COMMAND ${seawall_python3} ${CMAKE_CURRENT_LIST_DIR}/importable_torch.py ${SEAWALL_TORCH_VERSION}
                    OUTPUT_VARIABLE seawall_importable OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(seawall_importable)
      set(seawall_torch_default ${seawall_importable})
    endif()
  endif()
endif()
set(TORCH_ROOT ${seawall_torch_default} CACHE PATH "libtorch: cache folder, unpacked archive, or a wheel's torch folder")

unset(seawall_torch_dir)
foreach(candidate IN ITEMS ${TORCH_ROOT} ${TORCH_ROOT}/torch ${TORCH_ROOT}/libtorch)
  if(EXISTS ${candidate}/include/ATen/core/Tensor.h AND EXISTS ${candidate}/lib/libtorch_cpu.so)
    get_filename_component(seawall_torch_dir ${candidate} REALPATH)
    break()
  endif()
endforeach()
if(NOT seawall_torch_dir)
  message(FATAL_ERROR "libtorch: want include/ATen and lib/libtorch_cpu.so in TORCH_ROOT=${TORCH_ROOT}, found neither there "
                      "nor in its torch/ or libtorch/; run `make setup`, or give -DTORCH_ROOT=DIR")
endif()

add_library(seawall::torch_headers INTERFACE IMPORTED)
target_include_directories(seawall::torch_headers SYSTEM INTERFACE ${seawall_torch_dir}/include
                                                                   ${seawall_torch_dir}/include/torch/csrc/api/include)
target_compile_definitions(seawall::torch_headers INTERFACE AT_PER_OPERATOR_HEADERS)
# at::parallel_for is a template on OpenMP: without the flag it compiles, and runs everything on one thread.
target_link_libraries(seawall::torch_headers INTERFACE OpenMP::OpenMP_CXX)

add_library(seawall::c10 SHARED IMPORTED)
set_target_properties(seawall::c10 PROPERTIES IMPORTED_LOCATION ${seawall_torch_dir}/lib/libc10.so IMPORTED_NO_SONAME ON)
add_library(seawall::torch SHARED IMPORTED)
set_target_properties(seawall::torch PROPERTIES IMPORTED_LOCATION ${seawall_torch_dir}/lib/libtorch_cpu.so
                                                IMPORTED_NO_SONAME ON)
target_link_libraries(seawall::torch INTERFACE seawall::torch_headers seawall::c10 Threads::Threads ${CMAKE_DL_LIBS})
# libtorch_cpu.so finds CUPTI and the CUDA runtime by its own rpath; the linker need not. A program that calls no operator
# (a tokenizer test) does not load libtorch at all.
target_link_options(seawall::torch INTERFACE -Wl,--allow-shlib-undefined -Wl,--as-needed)

function(seawall_require_torch)
  message(STATUS "libtorch: ${seawall_torch_dir}")
  if(SEAWALL_CUDA AND NOT EXISTS ${seawall_torch_dir}/lib/libtorch_cuda.so)
    message(FATAL_ERROR "SEAWALL_CUDA: want lib/libtorch_cuda.so in ${seawall_torch_dir}; give -DTORCH_ROOT= of a CUDA libtorch")
  endif()
endfunction()
