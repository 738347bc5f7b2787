#pragma once
// What the pretended libcuda (pretend_cuda.cpp) did, and how to break it.
#include <cstdint>

extern "C" {
/// Launches since the process began, of a kernel or of all (null).
std::int64_t pretend_cuda_launches(const char* kernel);
/// From now on the first value of each array that this kernel writes is wrong; none's with null.
void pretend_cuda_spoil(const char* kernel);
/// Whether modules are taken at all.
void pretend_cuda_refuse_modules(bool refuse);
/// Compute capability: 90 and 86 are 9.0 and 8.6.
void pretend_cuda_capability(int of);
}
