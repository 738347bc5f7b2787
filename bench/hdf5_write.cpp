// HDF5 writes against plain writes of the same bytes, in the same run. MB/s is of uncompressed
// values; 1 MB = 10^6 bytes. A file counts as written when it was flushed to the disk.
#include <ATen/Functions.h>
#include <benchmark/benchmark.h>

#include <filesystem>
#include <string>

#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/store/activations.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

/// A folder on the disk where results would go.
struct Scratch {
  fs::path path = fs::current_path() / "bench_hdf5_write.tmp";
  Scratch() { fs::create_directories(path); }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

void count_bytes(benchmark::State& state, std::int64_t bytes) {
  state.counters["MB"] = benchmark::Counter(static_cast<double>(bytes) / 1e6,
                                            benchmark::Counter::kIsIterationInvariantRate);
}

Tensor values(std::int64_t mebibytes) {
  at::manual_seed(1);
  return at::randn({mebibytes << 8, 1 << 10});
}

/// The floor: the same bytes through write, fsync and rename.
void plain_write(benchmark::State& state) {
  const Scratch scratch;
  const auto data = values(state.range(0));
  const std::string_view bytes(static_cast<const char*>(data.const_data_ptr()), data.nbytes());
  for (auto _ : state) write_file_atomically(scratch.path / "plain", bytes);
  count_bytes(state, static_cast<std::int64_t>(bytes.size()));
}

void sha256(benchmark::State& state) {
  const auto data = values(state.range(0));
  const std::string_view bytes(static_cast<const char*>(data.const_data_ptr()), data.nbytes());
  for (auto _ : state) benchmark::DoNotOptimize(sha256_hex(bytes));
  count_bytes(state, static_cast<std::int64_t>(bytes.size()));
}

void checkpoint_save(benchmark::State& state) {
  const Scratch scratch;
  CheckpointState checkpoint;
  const auto data = values(state.range(0));
  const auto parts = data.chunk(32);
  for (std::size_t i = 0; i < parts.size(); ++i)
    checkpoint.parameters.push_back({"model.layers." + std::to_string(i) + ".weight", parts[i]});
  for (auto _ : state) {
    ++checkpoint.step;
    save_checkpoint(scratch.path / "checkpoints", checkpoint, 1);
  }
  count_bytes(state, static_cast<std::int64_t>(data.nbytes()));
}

void checkpoint_load(benchmark::State& state) {
  const Scratch scratch;
  CheckpointState checkpoint;
  const auto data = values(state.range(0));
  checkpoint.parameters = {{"weight", data}};
  save_checkpoint(scratch.path / "checkpoints", checkpoint, 1);
  for (auto _ : state) benchmark::DoNotOptimize(load_checkpoint(scratch.path / "checkpoints"));
  count_bytes(state, static_cast<std::int64_t>(data.nbytes()));
}

/// Residual streams of `prompts` prompts: 5 layers, width 256, 16 positions; bf16-valued, as a bf16
/// model gives them.
void activations(benchmark::State& state, bool compress) {
  const Scratch scratch;
  at::manual_seed(2);
  ActivationInfo info;
  info.layers = 5;
  info.d_model = 256;
  info.all_positions = true;
  info.max_length = 16;
  info.prompts = state.range(0);
  info.source_dtype = "bfloat16";
  info.compress = compress;
  info.overwrite = true;
  const PromptActivations prompt{"id",
                                 "category",
                                 "text",
                                 std::vector<std::int32_t>(16, 1),
                                 at::randn({5, 16, 256}).to(at::kBFloat16).to(at::kFloat),
                                 {}};
  for (auto _ : state) {
    ActivationWriter writer(scratch.path / "acts.h5", info);
    for (std::int64_t i = 0; i < info.prompts; ++i) writer.add(prompt);
    for (const auto& path : writer.close())
      state.counters["stored/values"] = static_cast<double>(fs::file_size(path)) /
                                        static_cast<double>(ActivationWriter::estimate_bytes(info));
  }
  count_bytes(state, static_cast<std::int64_t>(ActivationWriter::estimate_bytes(info)));
}

/// The run file of one arm of the built-in organism: 50 steps of 40 parameters, two evaluations of
/// 330 probes with residuals.
void run_publish(benchmark::State& state, bool residual) {
  const Scratch scratch;
  RunInfo info;
  for (int p = 0; p < 40; ++p) info.parameter_names.push_back("parameter " + std::to_string(p));
  RunFile run(scratch.path / "run.h5", info, {.residual = residual});
  for (int step = 1; step <= 50; ++step)
    run.on_step({step, 0, 1, 1, 1, 1, 1, 1, 1, std::vector<double>(40, 1.0 / step)});
  for (const int step : {0, 50}) {
    EvaluationRecord record;
    record.step = step;
    record.condition = "plain";
    record.set = ProbeSet::harmfulness;
    record.judges = {"organism"};
    for (int p = 0; p < 330; ++p)
      record.results.push_back({"probe/" + std::to_string(p),
                                "category",
                                std::string(200, 'p'),
                                std::string(200, 'r'),
                                true,
                                true,
                                40,
                                {Verdict{}}});
    record.residual = at::randn({330, 5, 256});
    run.on_evaluation(std::move(record));
  }
  for (auto _ : state) run.publish();
  state.counters["bytes"] = static_cast<double>(fs::file_size(scratch.path / "run.h5"));
}

void run_step(benchmark::State& state) {
  const Scratch scratch;
  RunFile run(scratch.path / "run.h5", RunInfo{});
  std::int64_t step = 0;
  for (auto _ : state) run.on_step({++step, 0, 1.0 / 3, 2e-5, 1.5, 1000, 0.01, 0.5, 0.1, {}});
}

BENCHMARK(plain_write)->Arg(64)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(sha256)->Arg(64)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(checkpoint_save)->Arg(64)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(checkpoint_load)->Arg(64)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(activations, gzip, true)->Arg(330)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(activations, none, false)->Arg(330)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(run_publish, residual, true)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(run_publish, metrics, false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(run_step)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace seawall
