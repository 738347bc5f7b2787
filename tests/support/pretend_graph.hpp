#pragma once
// Graphs of the pretended device: a capture records calls and changes nothing that was there
// before; what would invalidate one on a GPU is an error.
#include <ATen/core/Tensor.h>
#include <c10/core/DeviceType.h>
#include <c10/util/Exception.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/support/pretend_heap.hpp"

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#define SEAWALL_PRETEND_GRAPHS
#endif

namespace seawall::pretend {

/// What a capture records, and the memory that it made.
struct Recording {
  std::vector<std::function<void()>> calls;  // they keep what they read and write
  std::map<void*, std::size_t> own;          // memory made during the capture
  std::vector<void*> given_back;             // of it, during the capture

  void allocated(void* at, std::size_t bytes) { own[at] = bytes; }
  /// Memory that the capture made stays with the graph, whose replays write it. Returns whether it
  /// is such.
  bool keeps(void* at) {
    if (!own.contains(at)) return false;
    given_back.push_back(at);
    return true;
  }
  /// Whether the memory was made by this capture; a tensor without any will get its own.
  bool owns(const at::Tensor& t) const {
    const void* at = t.storage().data();
    return at == nullptr || own.contains(const_cast<void*>(at));
  }
};
/// Of the graph that is being captured, or null.
inline Recording*& capturing() {
  static Recording* one = nullptr;
  return one;
}
/// Whether what runs now was chosen at a capture, by what held then.
inline bool replaying = false;

inline void refuse_while_capturing(const char* what) {
  TORCH_CHECK(capturing() == nullptr, "pretend device: ", what,
              " is not permitted while a graph is captured");
}

#ifdef SEAWALL_PRETEND_GRAPHS

/// During a capture operators run, as their results must have sizes, on the values of then; what
/// they write to memory from before is thrown away, and what they made is NaN after it, as on a
/// GPU, where nothing runs.
class Graph final : public at::GraphImplInterface {
 public:
  explicit Graph(std::function<void()> replayed) : replayed_(std::move(replayed)) {}
  ~Graph() override { reset(); }
  void capture_begin(c10::MempoolId_t, at::GraphCaptureMode) override {
    TORCH_CHECK(capturing() == nullptr, "pretend device: two captures at once");
    TORCH_CHECK(recorded_.calls.empty(), "pretend device: a graph is captured once");
    capturing() = &recorded_;
  }
  void capture_end() override {
    capturing() = nullptr;
    for (const auto& [at, bytes] : recorded_.own) std::memset(shadow(at), 0xff, bytes);
    ended_ = true;
  }
  void instantiate() override {}
  void replay() override {
    TORCH_CHECK(ended_, "pretend device: a replay before the end of its capture");
    refuse_while_capturing("a replay");
    replaying = true;
    for (const auto& call : recorded_.calls) call();
    replaying = false;
    replayed_();
  }
  void reset() override {
    if (capturing() == &recorded_) capturing() = nullptr;
    recorded_.calls.clear();
    recorded_.own.clear();
    for (void* at : recorded_.given_back) heap().give(at);
    recorded_.given_back.clear();
    ended_ = false;
  }
  c10::MempoolId_t pool() const override { return {0, 0}; }
  void enable_debug_mode() override {}
  void debug_dump(const std::string&) override {}

 private:
  Recording recorded_;
  std::function<void()> replayed_;
  bool ended_ = false;
};

inline void register_graphs(const std::function<void()>& replayed) {
  at::GraphImplRegistry()->Register(
      c10::DeviceTypeName(c10::kPrivateUse1, /*lower_case=*/false),
      [replayed](const at::GraphImplArgs&) -> std::unique_ptr<at::GraphImplInterface> {
        return std::make_unique<Graph>(replayed);
      });
}

#else  // libtorch 2.11 has no registry

inline void register_graphs(const std::function<void()>&) {}

#endif

}  // namespace seawall::pretend
