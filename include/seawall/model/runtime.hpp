#pragma once
// Process-wide settings of the numeric code: the allocator, denormals, the GPU, which path computes
// a decoder, and what it keeps.
#include <cstdint>
#include <string>

namespace seawall {

/// Makes glibc keep freed large blocks instead of returning them to the system, where page faults
/// cost a training step about a third, and flushes denormals to zero on this thread. Call once at
/// start-up; does nothing elsewhere than glibc.
void tune_allocator();

/// The most memory this process had resident since reset_peak_memory(), or since its start where
/// the system does not say (bytes; 0 off Linux).
std::int64_t peak_memory_bytes();
void reset_peak_memory();

/// Loads libtorch's CUDA half, which nothing links (it is half a gigabyte), and says whether there
/// is a device; `why` holds a line where there is none. Must come before anything else asks
/// libtorch about CUDA.
bool load_cuda(std::string& why);

/// `fused`: hand-written CPU layers for fp32, fp64 and bf16. `composite`: plain differentiable ATen
/// operators, what every other device and type uses and what tests compare with.
enum class ComputePath { fused, composite };
/// Chooses the path where both are possible, for the whole process (`fused` at start). For tests
/// and benchmarks.
void set_compute_path(ComputePath path);
ComputePath compute_path();

/// Whether forward passes keep each block's input alone for the backward pass, which then computes
/// the block again: the same bits in more time; for the whole process (off at start).
void set_activation_checkpointing(bool on);
bool activation_checkpointing();

/// Instruction sets that there are kernels for.
enum class Cpu { portable, avx2, avx512, avx512bf16 };
/// The best set that this machine has, or a lesser one that the environment names, so that one
/// machine tests what another runs: SEAWALL_CPU is `portable`, `avx2`, `avx512` or `avx512bf16`.
/// Only the last multiplies bf16; the others widen it to fp32. Errors: UsageError for another word.
Cpu cpu_in_use();
/// Name of the fp32 kernels in use.
const char* kernel_name();

}  // namespace seawall
