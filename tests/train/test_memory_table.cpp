// The table of what fits on a card, counted as --dry-run counts, and the page that has it.
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "seawall/core/file.hpp"
#include "seawall/train/memory.hpp"

namespace seawall {
namespace {

struct SizesOfModel {
  const char* name;
  std::int64_t hidden, inner, layers, heads, kv_heads;
};
// Touvron et al. 2023, "Llama 2", table 1 and the models' config.json.
constexpr SizesOfModel llama2[] = {{"Llama-2 7B", 4096, 11008, 32, 32, 32},
                                   {"Llama-2 13B", 5120, 13824, 40, 40, 40},
                                   {"Llama-2 70B", 8192, 28672, 80, 64, 8}};

LlamaConfig config_of(const SizesOfModel& model) {
  LlamaConfig config;
  config.vocab_size = 32000;
  config.hidden_size = model.hidden;
  config.intermediate_size = model.inner;
  config.layers = model.layers;
  config.heads = model.heads;
  config.kv_heads = model.kv_heads;
  config.head_dim = 128;
  config.tie_word_embeddings = false;
  return config;
}

struct Training {
  const char* name;
  Precision precision;
  bool lora = false;
};
constexpr Training trainings[] = {{"LoRA, rank 8 on q and v", Precision::bf16_master, true},
                                  {"full, pure-bf16", Precision::pure_bf16},
                                  {"full, kahan", Precision::kahan},
                                  {"full, bf16-master", Precision::bf16_master}};

/// GB and the smallest card that has them.
std::string gigabytes(double bytes) {
  std::string card = "–";
  for (const int size : {141, 80, 40, 24})
    if (bytes <= size * 1e9) card = std::to_string(size);
  char text[64];
  std::snprintf(text, sizeof text, " %.1f (%s) |", bytes / 1e9, card.c_str());
  return text;
}

double held(const MemoryEstimate& estimate, std::string_view phase) {
  for (const auto& one : estimate.phases)
    if (one.name == phase) return one.total();
  return 0;
}

std::string memory_table() {
  std::string out =
      "| model | training | 1,700 tokens | 4,096 tokens | 1,700, checkpointing | 4,096, "
      "checkpointing | 4,096, checkpointing, moments on the CPU | of the host for these |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const auto& model : llama2)
    for (const auto& training : trainings) {
      const LlamaConfig config = config_of(model);
      std::optional<Adapter> adapter;
      if (training.lora)
        adapter = make_adapter(config, {.rank = 8, .targets = targets_from("q_proj,v_proj")}, 1,
                               at::empty({1}, at::TensorOptions(at::kMeta).dtype(at::kBFloat16)));
      const auto estimate = [&](std::int64_t tokens, bool recomputes, bool moments_on_host) {
        return estimate_memory({.config = config,
                                .precision = training.precision,
                                .cpu = false,
                                .loaded_bytes = 2,
                                .adapter = adapter ? &*adapter : nullptr,
                                .checkpoints = false,
                                .gradients_leave = !training.lora,
                                .recomputes = recomputes,
                                .moments_on_host = moments_on_host,
                                .tokens = tokens,
                                .rows = tokens,
                                .targets = tokens});
      };
      out += "| " + std::string(model.name) + " | " + training.name + " |";
      for (const bool recomputes : {false, true})
        for (const std::int64_t tokens : {1700, 4096})
          out += gigabytes(held(estimate(tokens, recomputes, false), "training"));
      const MemoryEstimate least = estimate(4096, true, true);
      char host[32];
      std::snprintf(host, sizeof host, " %.1f |\n", held(least, "optimizer") / 1e9);
      out += gigabytes(held(least, "training")) + host;
    }
  return out;
}

/// SEAWALL_WRITE_DOCS=1 writes the page's table in place of comparing it.
TEST(MemoryTable, ThePageHasIt) {
  const auto path = std::filesystem::path(SEAWALL_SOURCE_DIR) / "docs" / "memory.md";
  const auto page = read_file(path);
  const std::string begin =
                        "<!-- written by tests/train/test_memory_table.cpp, SEAWALL_WRITE_DOCS=1 "
                        "-->\n",
                    end = "<!-- end -->\n";
  const auto from = page.find(begin), to = page.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to);
  const auto table = memory_table();
  if (std::getenv("SEAWALL_WRITE_DOCS") != nullptr) {
    std::ofstream(path, std::ios::binary)
        << page.substr(0, from + begin.size()) + table + page.substr(to);
  } else {
    EXPECT_EQ(page.substr(from + begin.size(), to - from - begin.size()), table)
        << "run test_train once with SEAWALL_WRITE_DOCS=1";
  }
}

TEST(MemoryTable, SmallerSettingsHoldLess) {
  const LlamaConfig config = config_of(llama2[0]);
  const auto total = [&](Precision precision, bool recomputes, bool moments_on_host) {
    return held(estimate_memory({.config = config,
                                 .precision = precision,
                                 .cpu = false,
                                 .loaded_bytes = 2,
                                 .recomputes = recomputes,
                                 .moments_on_host = moments_on_host,
                                 .tokens = 4096,
                                 .rows = 4096,
                                 .targets = 4096}),
                "training");
  };
  const double weights = static_cast<double>(config.parameter_count());
  EXPECT_NEAR(weights, 6.738e9, 1e6);
  for (const auto precision : {Precision::pure_bf16, Precision::kahan, Precision::bf16_master}) {
    const double moments = precision == Precision::bf16_master ? 8 : 4;
    const double whole = total(precision, false, false), again = total(precision, true, false);
    EXPECT_LT(again, whole);
    // Moments leave the device, but for those of the tensor in hand.
    EXPECT_NEAR(again - total(precision, true, true), moments * weights, 0.02 * moments * weights);
    EXPECT_GT(again, weights * (precision == Precision::bf16_master ? 18 : 10));
  }
}

}  // namespace
}  // namespace seawall
