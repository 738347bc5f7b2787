// What a GPU is asked for by the cases of bench_gpu at their real sizes, counted on the tests'
// pretended device, which computes nothing large: launches, bytes, products, attention, waits and
// memory. predict.py makes times of it.
//
//   count_gpu [FIGURE...]    one JSON line per figure, with our kernels and with plain operators
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "bench/gpu/cases.hpp"
#include "device/kernels.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/train/trainer.hpp"
#include "tests/support/pretend_device.hpp"

namespace seawall::bench {
namespace {

using pretend::Counts, pretend::there;

/// An H200 as libtorch sees it, 139.8 GiB, less what a context takes.
constexpr std::size_t card = std::size_t{139} << 30;

struct Said {
  std::string figure;
  bool kernels = true;
  double tokens = 0;  // of a step; of answers in all
  std::vector<std::pair<const char*, Counts>> phases;
};

void report(const Said& said) {
  std::printf("{\"figure\": \"%s\", \"kernels\": %s, \"tokens\": %.8g, \"most_bytes\": %lld",
              said.figure.c_str(), said.kernels ? "true" : "false", said.tokens,
              static_cast<long long>(pretend::most_held()));
  std::printf(", \"phases\": {");
  const char* comma = "";
  for (const auto& [name, counts] : said.phases) {
    std::printf("%s\"%s\": {\"waits\": %lld, \"uploads\": %lld, \"operators\": {", comma, name,
                static_cast<long long>(counts.syncs + counts.held_up),
                static_cast<long long>(counts.uploads));
    const char* between = "";
    for (const auto& [op, c] : counts.operators) {
      std::printf("%s\"%s\": [%lld, %lld, %lld]", between, op.c_str(),
                  static_cast<long long>(c.launches), static_cast<long long>(c.bytes),
                  static_cast<long long>(c.pairs));
      between = ", ";
    }
    std::printf("}, \"products\": [");
    between = "";
    for (const auto& [mnk, times] : counts.products) {
      std::printf("%s[%lld, %lld, %lld, %lld]", between, static_cast<long long>(mnk[0]),
                  static_cast<long long>(mnk[1]), static_cast<long long>(mnk[2]),
                  static_cast<long long>(times));
      between = ", ";
    }
    std::printf("]}");
    comma = ", ";
  }
  std::printf("}}\n");
  std::fflush(stdout);
}

struct Case {
  std::string figure;
  std::int64_t rows = 0, tokens = 0;  // of a step, of a row
  bool lora = false;
  std::int64_t answers = 0;  // above 0: no training
};

/// Of two steps; a row that is alone in its step has its length exactly.
std::vector<Sequence> rows_of(const Case& asked, const LlamaConfig& config) {
  if (asked.rows > 1) return random_rows(2 * asked.rows, asked.tokens, 0, config);
  Rng rng(7);
  std::vector<Sequence> rows;
  for (int r = 0; r < 2; ++r) {
    rows.push_back({random_ids(rng, asked.tokens, config), {}});
    rows.back().loss.assign(static_cast<std::size_t>(asked.tokens), 0);
    std::fill(rows.back().loss.begin() + asked.tokens / 2, rows.back().loss.end(), std::uint8_t{1});
  }
  return rows;
}

/// The second of two steps of `rows` rows, as `train` makes it.
void count_step(const Case& asked, bool kernels) {
  Decoder decoder = random_model(sizes_of(false).model, there);
  if (asked.lora)
    decoder.adapt(make_adapter(decoder.config(),
                               {.rank = 8, .targets = targets_from("q_proj,v_proj")}, 1,
                               decoder.embedding()));
  FixedRows source(rows_of(asked, decoder.config()), {.batch_size = asked.rows, .epochs = 1},
                   there);
  TrainOptions options{.precision = Precision::pure_bf16};
  options.schedule.lr = 1e-5;
  Stack<> none;
  detail::Session session(decoder, source, options, {}, detail::facts_of(none));
  Said said{asked.figure, kernels, 0, {}};
  const auto phase = [&](const char* name) {
    said.phases.emplace_back(name, pretend::counts());
    pretend::reset_meter();
  };
  for (int step = 0; step < 2; ++step) {
    said.phases.clear();
    pretend::reset();
    session.begin_step();
    session.begin_micro(0);
    const Tensor mean = detail::micro_loss(decoder, *session.batch().micro[0], none, session);
    phase("forward");
    session.backward(0, mean, {});
    session.plan_ahead();
    phase("backward");
    if (session.loss_is_finite() && session.gradients_are_finite()) session.update();
    said.tokens = static_cast<double>(session.end_step().tokens);
    phase("update");
  }
  report(said);
}

void count_answers(const Case& asked, bool kernels) {
  const Sizes sizes = sizes_of(false);
  const Decoder decoder = random_model(sizes.model, there);
  Rng rng(11);
  std::vector<TokenIds> prompts;
  for (std::int64_t i = 0; i < asked.answers; ++i)
    prompts.push_back(random_ids(rng, sizes.prompt, decoder.config()));
  GenerateOptions options{.max_new_tokens = sizes.new_tokens};
  // Steps are launched, as on CUDA, where libtorch registers no graphs.
  options.edit = [](const TapPoint&, const Tensor& x) { return x; };
  Said said{asked.figure, kernels, 0, {}};
  pretend::reset();
  for (const auto& row : generate(decoder, prompts, options).rows)
    said.tokens += static_cast<double>(row.ids.size());
  said.phases.emplace_back("answers", pretend::counts());
  report(said);
}

const std::vector<Case> cases{{"full", 10, 170},
                              {"full-packed", 24, 170},
                              {"full-long", 1, 4096},
                              {"lora", 10, 170, true},
                              {.figure = "decode-1", .answers = 14},
                              {.figure = "decode-2", .answers = 128},
                              {.figure = "decode-3", .answers = 330}};

void go(const std::vector<std::string>& wanted) {
  for (const auto& word : wanted)
    if (std::ranges::find(cases, word, &Case::figure) == cases.end()) {
      std::string known;
      for (const auto& each : cases) known += " " + each.figure;
      throw UsageError("want figures of" + known + ", got " + word);
    }
  set_compute_path(ComputePath::composite);
  pretend::count_only(card);
  const auto all = [&](bool kernels) {
    for (const Case& each : cases)
      if (wanted.empty() || std::ranges::find(wanted, each.figure) != wanted.end())
        each.answers > 0 ? count_answers(each, kernels) : count_step(each, kernels);
  };
  all(true);
  // From here on as a GPU runs them whose kernels were not taken.
  setenv("SEAWALL_GPU_KERNELS", "off", 1);
  torch::Library plain(torch::Library::IMPL, "seawall", c10::DispatchKey::PrivateUse1, __FILE__,
                       __LINE__);
  device::add_gpu_kernels(plain);
  all(false);
}

}  // namespace
}  // namespace seawall::bench

int main(int argc, char** argv) {
  try {
    seawall::bench::go({argv + 1, argv + argc});
    return 0;
  } catch (const seawall::UsageError& error) {
    std::fprintf(stderr, "count_gpu: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "count_gpu: %s\n", error.what());
    return 1;
  }
}
