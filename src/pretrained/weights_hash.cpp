#include "pretrained/weights_hash.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <thread>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/model/not_finite.hpp"

namespace seawall {
namespace {

constexpr std::int64_t block_values = 1 << 22;
constexpr std::int64_t part_values = 1 << 15;  // ATen converts so few on the calling thread

bool all_finite(const float* values, std::int64_t count) {
  std::uint32_t bad = 0;  // without a branch, so that it costs little next to the hash
  for (std::int64_t i = 0; i < count; ++i)
    bad |= (std::bit_cast<std::uint32_t>(values[i]) & 0x7F800000u) == 0x7F800000u;
  return bad == 0;
}

struct Block {
  Tensor values;
  std::size_t weight = 0;  // whose it is
  std::string digest;
  bool finite = true;
};

void hash_block(Block& block) {
  Sha256 sha;
  const Tensor wide = at::empty({part_values}, at::kFloat);
  for (std::int64_t at = 0; at < block.values.numel(); at += part_values) {
    const auto count = std::min(part_values, block.values.numel() - at);
    const Tensor part = wide.narrow(0, 0, count).copy_(block.values.narrow(0, at, count));
    block.finite = block.finite && all_finite(part.const_data_ptr<float>(), count);
    sha.update(part.const_data_ptr(), part.nbytes());
  }
  block.digest = sha.hex();
}

std::vector<Block> hashed_blocks(const NamedTensors& weights) {
  std::vector<Block> blocks;
  for (std::size_t w = 0; w < weights.size(); ++w) {
    const Tensor values = weights[w].tensor.detach().to(at::kCPU).contiguous().view({-1});
    for (std::int64_t at = 0; at < values.numel(); at += block_values)
      blocks.push_back(
          {values.narrow(0, at, std::min(block_values, values.numel() - at)), w, {}, true});
  }
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i; (i = next++) < blocks.size();) hash_block(blocks[i]);
  };
  // Threads of their own, gone at the end of the scope: a grid forks after it has loaded a model.
  std::vector<std::jthread> others(static_cast<std::size_t>(at::get_num_threads() - 1));
  for (auto& thread : others) thread = std::jthread(work);
  work();
  others.clear();
  return blocks;
}

std::string hash_of(const NamedTensors& weights, const std::vector<Block>& blocks) {
  Sha256 sha;
  for (const auto& [name, tensor] : weights) {
    sha.field(name);
    for (const auto size : tensor.sizes()) sha.field(std::to_string(size));
  }
  for (const auto& block : blocks) sha.field(block.digest);
  return sha.hex();
}

}  // namespace

std::string hash_weights(const NamedTensors& weights) {
  return hash_of(weights, hashed_blocks(weights));
}

std::string hash_finite_weights(const NamedTensors& weights, const std::string& where) {
  const auto blocks = hashed_blocks(weights);
  const auto bad = std::ranges::find(blocks, false, &Block::finite);
  if (bad != blocks.end()) {
    const auto& weight = weights[bad->weight];
    throw DataError(where + ": tensor " + weight_not_finite({weight}) +
                    (weight.tensor.scalar_type() == at::kHalf ? " in float16" : "") +
                    "; the model cannot be judged or trained: use a file from before it diverged");
  }
  return hash_of(weights, blocks);
}

}  // namespace seawall
