#pragma once
// What the pretended libcuda (pretend_cuda.cpp) did, and how to break it.
#include <cstdint>
#include <functional>

extern "C" {
/// Launches since the process began, of a kernel or of all (null).
std::int64_t pretend_cuda_launches(const char* kernel);
/// From now on the first value of each array that this kernel writes is wrong; none's with null.
void pretend_cuda_spoil(const char* kernel);
/// Whether modules are taken at all.
void pretend_cuda_refuse_modules(bool refuse);
/// What is told of every launch while it is set, with a function that does it again: a capture.
void pretend_cuda_record(std::function<void(std::function<void()> again)> recorder);
/// Compute capability: 90 and 86 are 9.0 and 8.6.
void pretend_cuda_capability(int of);
}
