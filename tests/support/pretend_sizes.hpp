#pragma once
// Calls on the pretended device that are counted and given sizes, without values; and what a call
// costs a GPU, told from its arguments.
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace seawall::pretend {

/// Runs a call on meta tensors: results have sizes, strides and types. Attention, our operators and
/// those that libtorch has no such form of are given theirs here.
void call_for_sizes(const c10::OperatorHandle& op, const std::string& name,
                    torch::jit::Stack& stack);

/// Sizes of a matrix product: m x k times k x n, so many times.
struct Product {
  std::int64_t m = 0, n = 0, k = 0, times = 1;
};
/// The product that a call is; all zero for other calls. `args`: tensors of any device.
Product product_of(const std::string& name, const std::vector<c10::IValue>& args);

/// Of attention over segments: pairs of a query and a key that it sees, and rows of keys; times
/// heads they are what is computed and read. `values`: how a table of the device is read.
struct Pairs {
  std::int64_t seen = 0, keys = 0;
};
Pairs pairs_of(bool backward, const std::vector<c10::IValue>& args,
               const std::function<at::Tensor(const at::Tensor&)>& values);

}  // namespace seawall::pretend
