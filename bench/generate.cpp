// Greedy generation with the real SmolLM2: the prompts of data/golden/prompts50.txt, up to 48 new
// tokens each. Peers: bench/peers/hf_generate.py and ct2_generate.py, which count alike: a token
// counts up to and with the row's end token.
#include <cstdlib>
#include <fstream>

#include "bench/models.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "tests/support/assets.hpp"

namespace seawall::bench {
namespace {

void generate_50x48(benchmark::State& state) {
  const auto file = testing::smollm2();
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
  Timer time(state);
  for (auto _ : state) {
    GenerateResult result;
    time([&] { result = generate(*model.decoder, prompts, options); });
    tokens = 0;
    for (const auto& row : result.rows)
      tokens += static_cast<std::int64_t>(row.ids.size()) + (row.finished ? 1 : 0);
  }
  const auto& c = model.decoder->config();
  const double weights =
      block_parameters(c) + static_cast<double>(c.vocab_size) * static_cast<double>(c.hidden_size);
  time.report_flops(2 * weights * static_cast<double>(tokens));
  state.counters["new_tokens"] = static_cast<double>(tokens);
  time.rate("new_tokens/s", static_cast<double>(tokens));
}
BENCHMARK(generate_50x48)->Unit(benchmark::kMillisecond)->UseManualTime();

}  // namespace
}  // namespace seawall::bench
