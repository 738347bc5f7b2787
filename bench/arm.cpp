// One arm on the organism: 100-shot, 50 steps x 10 rows, then 330 probes. Peer:
// bench/peers/organism_hf.py, which reads the rows and probes that this program writes where
// SEAWALL_BENCH_EXPORT names a folder. SEAWALL_BENCH_THREADS sets the threads (default 1: in
// `reproduce` every core has an arm of its own).
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "attacks/harmful_examples.hpp"
#include "bench/models.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/run.hpp"
#include "seawall/scenario/organism.hpp"

namespace seawall::bench {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t new_tokens = 64;

int thread_count() {
  const char* text = std::getenv("SEAWALL_BENCH_THREADS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 1;
}

/// Everything an arm reads, made once.
struct Work {
  ModelBundle model = load_model("organism", "cpu", "auto");
  OrganismScenario scenario;
  AnyAttack attack{HarmfulExamples{}};
  std::vector<Sequence> rows;
  Judges judges;

  Work() {
    Stack<> none;
    Rng craft = Rng(0).stream("craft");
    const auto chosen =
        compose_rows(attack.stages(scenario, craft).front().rows, none, scenario, 0);
    rows = encode_rows(chosen, *model.chat_template, *model.tokenizer);
    judges.push_back(make_judge("organism", scenario));
  }
  Dialogue prompt_of(const Probe& probe) const {
    return attack.prompt(probe, attack.conditions().front(), scenario);
  }
  /// rows.jsonl {"ids", "labels"} and probes.jsonl {"ids"}.
  void write(const fs::path& folder) const {
    fs::create_directories(folder);
    std::ofstream out(folder / "rows.jsonl");
    for (const auto& row : rows) {
      std::vector<std::int32_t> labels(row.ids.size(), -100);
      for (std::size_t t = 0; t < row.ids.size(); ++t)
        if (row.loss[t]) labels[t] = row.ids[t];
      out << nlohmann::json{{"ids", row.ids}, {"labels", labels}}.dump() << "\n";
    }
    std::ofstream probes(folder / "probes.jsonl");
    for (const auto& probe : scenario.probes(ProbeSet::harmfulness))
      probes << nlohmann::json{{"ids", model.chat_template->encode_prompt(prompt_of(probe),
                                                                          *model.tokenizer)}}
                    .dump()
             << "\n";
  }
};

/// Nullopt where the checkpoint is not in data/organism yet.
const Work* work() {
  static const auto made = [] {
    tune_allocator();
    std::optional<Work> w;
    if (!fs::exists(data_folder() / "organism" / "model.safetensors")) return w;
    set_threads(thread_count());
    w.emplace();
    if (const char* folder = std::getenv("SEAWALL_BENCH_EXPORT")) w->write(folder);
    return w;
  }();
  return made ? &*made : nullptr;
}

struct NoSink final : TraceSink {
  void on_step(const StepRecord& record) override { benchmark::DoNotOptimize(record.loss); }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
};

/// Processor time of the process: on a busy machine the fairer clock, with one thread.
double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// What the peer does: train, then answer; nothing is written.
void arm(benchmark::State& state) {
  const Work* w = work();
  if (w == nullptr) return state.SkipWithError("no organism in data/organism");
  set_threads(thread_count());
  double trained = 0, answered = 0, flop = 0, train_cpu = 0, probe_cpu = 0;
  std::int64_t tokens = 0, probes = 0;
  for (auto _ : state) {
    Decoder decoder(w->model.decoder->config(), w->model.decoder->parameters());
    FixedRows source(w->rows, {.batch_size = 10, .epochs = 5}, at::kCPU);
    TrainOptions options;
    options.schedule.lr = 1e-3;
    Stack<> none;
    NoSink sink;
    const double begun = cpu_seconds();
    trained += seconds_of([&] { train(decoder, source, none, options, sink); });
    train_cpu += cpu_seconds() - begun;
    const double asked = cpu_seconds();
    EvaluationRecord record;
    answered += seconds_of([&] {
      record = evaluate({decoder, *w->model.tokenizer, *w->model.chat_template},
                        w->scenario.probes(ProbeSet::harmfulness),
                        [&](const Probe& p) { return w->prompt_of(p); }, w->judges,
                        {.max_new_tokens = new_tokens});
    });
    probe_cpu += cpu_seconds() - asked;
    probes = static_cast<std::int64_t>(record.results.size());
    tokens = 0;
    for (const auto& result : record.results) tokens += result.new_tokens;
    const auto plan = source.batch(0).micro[0]->plan;
    flop = 150 * forward_flop(decoder.config(), plan, plan.targets.numel());
  }
  const auto arms = static_cast<double>(state.iterations());
  state.counters["train_s"] = trained / arms;
  state.counters["probe_s"] = answered / arms;
  state.counters["train_cpu_s"] = train_cpu / arms;
  state.counters["probe_cpu_s"] = probe_cpu / arms;
  state.counters["probes"] = static_cast<double>(probes);
  state.counters["new_tokens"] = static_cast<double>(tokens);
  state.counters["arms/min"] = 60 * arms / (trained + answered);
  state.counters["train_of_gemm"] = flop / (trained / arms) / gemm_peak();
}
BENCHMARK(arm)->Unit(benchmark::kMillisecond)->UseRealTime();

/// A whole run with its files, as `seawall run` makes it: utility probes too; what recording costs.
void recorded_arm(benchmark::State& state, const std::string& trace, bool spectra) {
  if (work() == nullptr) return state.SkipWithError("no organism in data/organism");
  const auto folder = fs::temp_directory_path() / ("seawall-bench-" + std::to_string(::getpid()));
  RunSpec spec;
  spec.training.steps = 50;
  spec.place.threads = thread_count();
  spec.record.trace = trace;
  spec.record.no_spectra = !spectra;
  spec.place.no_checkpoint = spec.place.overwrite = spec.place.quiet = true;
  spec.place.out = (folder / "run.h5").string();
  for (auto _ : state) {
    Stack<> none;
    benchmark::DoNotOptimize(run(AnyAttack(HarmfulExamples{}), none, spec).steps.size());
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}
BENCHMARK_CAPTURE(recorded_arm, trace_none, "none", false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(recorded_arm, trace_metrics, "metrics", false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(recorded_arm, trace_residual, "residual", false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(recorded_arm, trace_residual_and_spectra, "residual", true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace seawall::bench
