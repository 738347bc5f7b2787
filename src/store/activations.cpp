#include "seawall/store/activations.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "seawall/core/error.hpp"
#include "seawall/store/atomic_file.hpp"
#include "store/activation_shard.hpp"
#include "store/tensor_io.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t waiting_bytes = std::uint64_t{64} << 20;

fs::path shard_path(const fs::path& first, std::size_t shard) {
  if (shard == 0) return first;
  char ending[32];
  std::snprintf(ending, sizeof ending, "-%04zu.h5", shard);
  auto path = first;
  path.replace_extension();
  return path += ending;
}

std::uint64_t bytes_of(const PromptActivations& prompt) {
  std::uint64_t bytes = prompt.text.size() + prompt.input_ids.size() * 4;
  for (const auto* tensor :
       {&prompt.resid_post, &prompt.attn_out, &prompt.mlp_out, &prompt.attention, &prompt.logits})
    bytes += tensor->defined() ? static_cast<std::uint64_t>(tensor->numel()) * 4 : 0;
  return bytes;
}

void check_info(const ActivationInfo& info) {
  const auto variables = activation_variables(info);
  const bool sized = std::ranges::all_of(
      variables, [](const auto& variable) { return variable.values_a_position() > 0; });
  if (info.layers < 0 || info.vocabulary < 0 || info.heads < 0 || info.max_length < 1 ||
      variables.empty() || !sized)
    throw UsageError("activations: want some values, and prompts of at least one token");
}

}  // namespace

std::vector<fs::path> activation_files(const fs::path& first) {
  std::vector<fs::path> found;
  std::error_code code;
  for (std::size_t shard = 0; shard == 0 || fs::exists(shard_path(first, shard), code); ++shard) {
    if (fs::exists(shard_path(first, shard), code)) found.push_back(shard_path(first, shard));
  }
  return found;
}

struct ActivationWriter::Impl {
  fs::path first;
  ActivationInfo info;
  std::vector<fs::path> stale, written;
  std::unique_ptr<ActivationShard> shard;  // of the thread alone

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<PromptActivations> waiting;  // under the mutex, as all below
  std::uint64_t waiting_now = 0;
  bool ended = false, abandoned = false;
  std::exception_ptr failure;
  std::thread thread;

  /// The thread: takes prompts, fills shards, publishes full ones.
  void work() {
    try {
      while (auto prompt = take()) {
        if (!shard) shard = std::make_unique<ActivationShard>(info, written.size());
        shard->add(*prompt);
        if (shard->full()) publish();
      }
      const std::scoped_lock guard(mutex);
      if (abandoned) return;
    } catch (...) {
      fail(std::current_exception());
      return;
    }
    try {
      if (shard || written.empty()) {
        if (!shard) shard = std::make_unique<ActivationShard>(info, 0);
        publish();
      }
      for (const auto& path : stale) {
        if (std::find(written.begin(), written.end(), path) == written.end()) fs::remove(path);
      }
    } catch (...) {
      fail(std::current_exception());
    }
  }

  void publish() {
    const auto path = shard_path(first, written.size());
    shard->publish(path);
    shard.reset();
    written.push_back(path);
  }

  void fail(std::exception_ptr what) {
    const std::scoped_lock guard(mutex);
    failure = std::move(what);
    waiting.clear();
    waiting_now = 0;
    changed.notify_all();
  }

  /// The next prompt, or none at the end.
  std::unique_ptr<PromptActivations> take() {
    std::unique_lock guard(mutex);
    changed.wait(guard, [&] { return abandoned || ended || !waiting.empty(); });
    if (abandoned || waiting.empty()) return nullptr;
    auto prompt = std::make_unique<PromptActivations>(std::move(waiting.front()));
    waiting.pop_front();
    waiting_now -= bytes_of(*prompt);
    changed.notify_all();
    return prompt;
  }

  void check(const PromptActivations& prompt) const {
    const auto length = static_cast<std::int64_t>(prompt.input_ids.size());
    const std::string where = "activations of prompt `" + prompt.id + "`";
    if (length < 1 || length > info.max_length)
      throw RunError(where + ": want 1 to " + std::to_string(info.max_length) + " tokens, got " +
                     std::to_string(length));
    const auto positions = info.all_positions ? length : 1;
    for (const auto& variable : activation_variables(info)) {
      std::vector<std::int64_t> shape = variable.lead;
      shape.insert(shape.end(), {positions, variable.width});
      check_shape(prompt.*variable.values, shape, where);
    }
  }
};

ActivationWriter::ActivationWriter(const fs::path& path, ActivationInfo info)
    : impl_(std::make_unique<Impl>()) {
  check_info(info);
  impl_->first = RunPaths(path).file;
  impl_->info = std::move(info);
  impl_->stale = activation_files(impl_->first);
  if (!impl_->stale.empty() && !impl_->info.overwrite)
    throw UsageError(impl_->stale.front().string() +
                     ": the file is there already; give --overwrite or another --out");
  const auto parent = impl_->first.parent_path();
  prepare_folder(parent.empty() ? fs::path(".") : parent);
  remove_temporaries(impl_->first);
  impl_->thread = std::thread([impl = impl_.get()] { impl->work(); });
}

ActivationWriter::~ActivationWriter() {
  if (!impl_->thread.joinable()) return;
  {
    const std::scoped_lock guard(impl_->mutex);
    impl_->abandoned = true;
    impl_->changed.notify_all();
  }
  impl_->thread.join();
}

void ActivationWriter::add(PromptActivations prompt) {
  impl_->check(prompt);
  // Copied off the device here: the caller may reuse its buffers.
  for (const auto& variable : activation_variables(impl_->info)) {
    Tensor& values = prompt.*variable.values;
    values = values.detach().to(at::kCPU).to(at::kFloat).contiguous();
  }
  const auto bytes = bytes_of(prompt);
  std::unique_lock guard(impl_->mutex);
  impl_->changed.wait(guard, [&] {
    return impl_->failure || impl_->waiting.empty() || impl_->waiting_now + bytes <= waiting_bytes;
  });
  if (impl_->failure) std::rethrow_exception(impl_->failure);
  if (impl_->ended) throw RunError("activations: add() after close()");
  impl_->waiting.push_back(std::move(prompt));
  impl_->waiting_now += bytes;
  impl_->changed.notify_all();
}

std::vector<fs::path> ActivationWriter::close() {
  {
    const std::scoped_lock guard(impl_->mutex);
    impl_->ended = true;
    impl_->changed.notify_all();
  }
  if (impl_->thread.joinable()) impl_->thread.join();
  if (impl_->failure) std::rethrow_exception(impl_->failure);
  return impl_->written;
}

std::uint64_t ActivationWriter::estimate_bytes(const ActivationInfo& info) {
  return ActivationShard::prompt_bytes(info) * static_cast<std::uint64_t>(info.prompts);
}

}  // namespace seawall
