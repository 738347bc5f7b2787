#include "seawall/cli/weights_hash.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "seawall/core/hash.hpp"

namespace seawall {
namespace {

constexpr std::int64_t block_values = 1 << 22;
constexpr std::int64_t part_values = 1 << 15;  // ATen converts so few on the calling thread

std::string hash_block(const Tensor& values) {
  Sha256 sha;
  const Tensor wide = at::empty({part_values}, at::kFloat);
  for (std::int64_t at = 0; at < values.numel(); at += part_values) {
    const auto count = std::min(part_values, values.numel() - at);
    const Tensor part = wide.narrow(0, 0, count).copy_(values.narrow(0, at, count));
    sha.update(part.const_data_ptr(), part.nbytes());
  }
  return sha.hex();
}

}  // namespace

std::string hash_weights(const NamedTensors& weights) {
  std::vector<Tensor> blocks;
  for (const auto& [name, tensor] : weights) {
    const Tensor values = tensor.detach().to(at::kCPU).contiguous().view({-1});
    for (std::int64_t at = 0; at < values.numel(); at += block_values)
      blocks.push_back(values.narrow(0, at, std::min(block_values, values.numel() - at)));
  }
  std::vector<std::string> digests(blocks.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i; (i = next++) < blocks.size();) digests[i] = hash_block(blocks[i]);
  };
  {
    // Threads of their own, gone at the end of the scope: a grid forks after it has loaded a model.
    std::vector<std::jthread> others(static_cast<std::size_t>(at::get_num_threads() - 1));
    for (auto& thread : others) thread = std::jthread(work);
    work();
  }
  Sha256 sha;
  for (const auto& [name, tensor] : weights) {
    sha.field(name);
    for (const auto size : tensor.sizes()) sha.field(std::to_string(size));
  }
  for (const auto& digest : digests) sha.field(digest);
  return sha.hex();
}

}  // namespace seawall
