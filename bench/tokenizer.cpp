// Tokenizing and reading weights. Peer: bench/peers/hf_tokenizer.py, the same texts with Hugging
// Face.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "seawall/model/files.hpp"
#include "seawall/text/chat_template.hpp"
#include "tests/support/assets.hpp"

namespace seawall {
namespace {

using Texts = std::vector<std::string>;
const std::filesystem::path data = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data";

/// The strings of the golden test: code, emoji, scripts, runs of spaces; hardly a word twice.
const Texts& varied() {
  static const Texts texts = [] {
    Texts all;
    std::ifstream in(data / "golden" / "smollm2_tokens.jsonl");
    for (std::string line; std::getline(in, line);) {
      all.push_back(nlohmann::json::parse(line)["text"].get<std::string>());
    }
    return all;
  }();
  return texts;
}

/// Ordinary English requests, one a line.
const Texts& prose() {
  static const Texts texts = [] {
    Texts all;
    std::ifstream in(data / "golden" / "prompts50.txt");
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }();
  return texts;
}

const GgufFile* smollm2() {
  static const auto path = testing::smollm2();
  static const auto file = path ? std::make_unique<GgufFile>(*path) : nullptr;
  return file.get();
}

/// SmolLM2's byte-level BPE, or nullptr where its file is not in the cache.
const Tokenizer* bpe() {
  static const auto tokenizer = [] {
    const auto* file = smollm2();
    if (file == nullptr) return std::unique_ptr<Tokenizer>();
    BpeSpec spec;
    spec.tokens = file->texts("tokenizer.ggml.tokens");
    spec.merges = file->texts("tokenizer.ggml.merges");
    spec.pre_tokenizer = file->text("tokenizer.ggml.pre");
    const auto& types = file->integers("tokenizer.ggml.token_type");
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (types[i] == 3) spec.special_ids.push_back(static_cast<std::int32_t>(i));
    }
    return make_bpe_tokenizer(std::move(spec));
  }();
  return tokenizer.get();
}

const Tokenizer* sentencepiece() {
  static const auto tokenizer = [] {
    const auto file = data / "organism" / "tokenizer.model";
    return std::filesystem::exists(file) ? load_sentencepiece(file) : nullptr;
  }();
  return tokenizer.get();
}

void encode_all(benchmark::State& state, const Tokenizer* tokenizer, const Texts& texts) {
  if (tokenizer == nullptr || texts.empty()) {
    state.SkipWithError("the tokenizer or the texts are not here");
    return;
  }
  std::int64_t bytes = 0, tokens = 0;
  for (auto _ : state) {
    for (const auto& text : texts) {
      tokens += static_cast<std::int64_t>(tokenizer->encode(text).size());
      bytes += static_cast<std::int64_t>(text.size());
    }
  }
  state.SetBytesProcessed(bytes);
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}

void bpe_varied(benchmark::State& state) { encode_all(state, bpe(), varied()); }
void bpe_prose(benchmark::State& state) { encode_all(state, bpe(), prose()); }
void sentencepiece_prose(benchmark::State& state) { encode_all(state, sentencepiece(), prose()); }
BENCHMARK(bpe_varied)->Unit(benchmark::kMillisecond);
BENCHMARK(bpe_prose)->Unit(benchmark::kMicrosecond);
BENCHMARK(sentencepiece_prose)->Unit(benchmark::kMicrosecond);

/// The tokenizers of the golden test, one a pattern, on the varied strings and on prose.
void pattern(benchmark::State& state, const char* name, const Texts& (*texts)()) {
  const auto tokenizer =
      load_tokenizer_json(data / "golden" / "tokenizers" / (std::string(name) + ".json"));
  encode_all(state, tokenizer.get(), texts());
}
BENCHMARK_CAPTURE(pattern, gpt2_varied, "gpt2", varied)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pattern, gpt2_prose, "gpt2", prose)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(pattern, llama3_varied, "llama3", varied)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pattern, llama3_prose, "llama3", prose)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(pattern, qwen2_varied, "qwen2", varied)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pattern, qwen2_prose, "qwen2", prose)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(pattern, llama2_varied, "llama2", varied)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pattern, llama2_prose, "llama2", prose)->Unit(benchmark::kMicrosecond);

void chatml_example(benchmark::State& state) {
  if (bpe() == nullptr || prose().size() < 2) {
    state.SkipWithError("SmolLM2 is not in the cache");
    return;
  }
  const auto chat = make_chat_template("chatml-smollm2");
  const Dialogue dialogue{{{Role::user, prose()[0]}, {Role::assistant, prose()[1]}}};
  for (auto _ : state) benchmark::DoNotOptimize(chat->encode_example(dialogue, *bpe()));
}
BENCHMARK(chatml_example)->Unit(benchmark::kMicrosecond);

/// Time to copy `bytes` into fresh memory, best of three: the peak that a reader of weights can
/// reach.
double copy_seconds(std::int64_t bytes, int tries = 3) {
  const double others = tries > 1 ? copy_seconds(bytes, tries - 1) : 1e9;
  const auto from = at::full({bytes / 4}, 1.0f, at::kFloat);
  const auto start = std::chrono::steady_clock::now();
  auto to = at::empty({bytes / 4}, at::kFloat);
  at::parallel_for(0, bytes, 1 << 22, [&](std::int64_t b, std::int64_t e) {
    std::memcpy(to.data_ptr<float>() + b / 4, from.data_ptr<float>() + b / 4,
                static_cast<std::size_t>(e - b));
  });
  return std::min(others,
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

void gguf_weights(benchmark::State& state) {
  const auto* file = smollm2();
  if (file == nullptr) {
    state.SkipWithError("SmolLM2 is not in the cache");
    return;
  }
  std::int64_t bytes = 0;
  double seconds = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    const auto weights = file->llama_weights();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    bytes = 0;
    for (const auto& weight : weights) bytes += static_cast<std::int64_t>(weight.tensor.nbytes());
  }
  state.SetBytesProcessed(bytes * state.iterations());
  state.counters["of_copy"] =
      copy_seconds(bytes) * static_cast<double>(state.iterations()) / seconds;
}
BENCHMARK(gguf_weights)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace seawall
