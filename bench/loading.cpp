// Reading a folder of bf16 weights, as a share of a plain copy of as many bytes read and written
// into fresh memory, whose first touch costs more than the copy; and hashing what was read.
#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <filesystem>

#include "bench/models.hpp"
#include "bench/peak.hpp"
#include "pretrained/weights_hash.hpp"
#include "seawall/model/files.hpp"

namespace seawall::bench {
namespace {

/// SmolLM2's shape in a temporary folder, in bf16: 269 MB. Its pages are in the cache.
class Written {
 public:
  Written() {
    std::string name = (std::filesystem::temp_directory_path() / "seawall-bench-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    NamedTensors weights;
    for (const auto& [tensor, shape] : smollm2_shape().parameter_shapes())
      weights.push_back({tensor, at::randn(shape).to(at::kBFloat16)});
    write_hf_folder(path_, smollm2_shape(), weights, {.bos = 1, .eos = {2}});
  }
  ~Written() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Best of five.
double copy_seconds(std::int64_t bytes) {
  const auto from = at::full({bytes / 4}, 1.0f, at::kFloat);
  double best = 1e9;
  for (int i = 0; i < 5; ++i) best = std::min(best, seconds_of([&] { from.clone(); }));
  return best;
}

void folder(benchmark::State& state) {
  static const Written written;
  const auto type = state.range(0) == 2 ? at::kBFloat16 : at::kFloat;
  const auto count = smollm2_shape().parameter_count();
  const auto bytes = count * (2 + static_cast<std::int64_t>(at::elementSize(type)));
  double seconds = 0;
  for (auto _ : state)
    seconds += seconds_of([&] { benchmark::DoNotOptimize(read_hf_folder(written.path(), type)); });
  const auto rate = static_cast<double>(bytes * state.iterations()) / seconds;
  state.counters["GB/s"] = rate / 1e9;
  state.counters["of_copy"] = rate * copy_seconds(bytes / 2) / static_cast<double>(bytes);
}
BENCHMARK(folder)->ArgName("bytes")->Arg(2)->Arg(4)->Unit(benchmark::kMillisecond)->UseRealTime();

/// Of the weights as they lie in the file.
void hash(benchmark::State& state) {
  const auto threads = at::get_num_threads();
  at::set_num_threads(static_cast<int>(state.range(0)));
  NamedTensors weights = random_weights(smollm2_shape(), 1);
  for (auto& [name, tensor] : weights) tensor = tensor.to(at::kBFloat16);
  double seconds = 0;
  for (auto _ : state)
    seconds += seconds_of([&] { benchmark::DoNotOptimize(hash_weights(weights)); });
  at::set_num_threads(threads);
  state.counters["GB/s"] =
      static_cast<double>(2 * smollm2_shape().parameter_count() * state.iterations()) / seconds /
      1e9;
}
BENCHMARK(hash)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace seawall::bench
