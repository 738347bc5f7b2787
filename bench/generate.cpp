// Greedy generation with the real SmolLM2: the prompts of data/golden/prompts50.txt, up to 48 new
// tokens each. Peers: bench/peers/hf_generate.py and ct2_generate.py, which count alike: a token
// counts up to and with the row's end token.
#include <cstdlib>
#include <fstream>

#include "bench/models.hpp"
#include "seawall/cli/bundle.hpp"
#include "seawall/model/generate.hpp"
#include "tests/support/assets.hpp"

namespace seawall::bench {
namespace {

void generate_50x48(benchmark::State& state) {
  const auto file = testing_support::smollm2();
  if (!file) return state.SkipWithError("SmolLM2 is not in the cache");
  tune_allocator();
  const char* threads = std::getenv("SEAWALL_BENCH_THREADS");
  set_threads(threads != nullptr ? std::atoi(threads) : 0);
  static const auto model = load_model(file->string(), "cpu", "auto");
  std::vector<std::vector<std::int32_t>> prompts;
  std::ifstream in(SEAWALL_SOURCE_DIR "/data/golden/prompts50.txt");
  for (std::string line; std::getline(in, line);)
    prompts.push_back(model.chat_template->encode_prompt({{{Role::user, line}}}, *model.tokenizer));
  GenerateOptions options;
  options.max_new_tokens = 48;
  options.stop_ids = model.chat_template->stop_ids(*model.tokenizer);
  std::int64_t tokens = 0;
  for (auto _ : state) {
    tokens = 0;
    for (const auto& row : generate(*model.decoder, prompts, options).rows)
      tokens += static_cast<std::int64_t>(row.ids.size()) + (row.finished ? 1 : 0);
  }
  const auto& c = model.decoder->config();
  const double weights =
      block_parameters(c) + static_cast<double>(c.vocab_size) * static_cast<double>(c.hidden_size);
  report_flops(state, 2 * weights * static_cast<double>(tokens));
  state.counters["new_tokens"] = static_cast<double>(tokens);
  state.counters["new_tokens/s"] = benchmark::Counter(
      static_cast<double>(tokens), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(generate_50x48)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace seawall::bench
