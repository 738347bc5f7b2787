#pragma once
// A device that no CPU code can touch, for tests: what a GPU would crash on crashes here too.
//
// Tensors on it show addresses that are mapped without access; the values lie at the same distance
// in a second half, known to this file alone. Each operator is counted, refused if it mixes devices
// as CUDA refuses it, and computed by the CPU's kernels on the second half. New memory holds NaN.
// Graphs are captured and replayed (pretend_graph.hpp).
#include <c10/core/Device.h>

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace seawall::pretend {

/// A program that is linked with it registers it as libtorch's PrivateUse1 backend before main, and
/// so before a tensor is differentiated: the engine counts its devices then.
inline constexpr const char* device = "pretend";
inline const c10::Device there(c10::kPrivateUse1, 0);

struct Counted {
  std::int64_t launches = 0, bytes = 0;  // bytes: read and written, of a table the rows in question
  std::int64_t pairs = 0;                // of attention: queries times the keys that they see
};

/// Whether this libtorch has graphs of devices (2.11 has none).
#if __has_include(<ATen/core/GraphImplInterface.h>)
inline constexpr bool has_graphs = true;
#else
inline constexpr bool has_graphs = false;
#endif

/// What ran on the device since the last `reset`.
struct Counts {
  std::map<std::string, Counted> operators;  // by name and overload: "aten::mul.out"
  std::map<std::array<std::int64_t, 3>, std::int64_t> products;  // of matrices, by m, n and k
  std::int64_t uploads = 0;  // copies from the host, each a launch of its own
  std::int64_t held_up = 0;  // of them, that a GPU's host waits for: not pinned
  std::int64_t syncs = 0;    // copies to the host, and values that it asks for
  std::int64_t later = 0;    // copies to the host that it waits for by an event
  std::int64_t replays = 0;  // of captured graphs, whose operators are not counted
  Counted sum() const;
};
void reset();
/// The same, but `most_held` goes on.
void reset_meter();
Counts counts();
/// Bytes of all tensors on it.
std::int64_t bytes_held();
/// The most since the last `reset`.
std::int64_t most_held();
/// What ran since the program began, each with the types of its tensors: "aten::mm.out self=Float
/// mat2=Float out=Float".
std::set<std::string> operators_ever();

/// From now on the device has so much memory, and calls on tensors of more than `small` bytes are
/// counted and given results of the right sizes, but not computed: models of any size run at once,
/// and take no memory. Small results of such calls are ones (so that a loss is finite), what is
/// larger zeros.
void count_only(std::size_t memory, std::size_t small = 65536);
/// Ends it.
void compute_all();

}  // namespace seawall::pretend
