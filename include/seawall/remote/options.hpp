#pragma once
// Words for everything behind HTTP, as `visit` lists: how an endpoint is asked, what it costs, and
// how far a run may go.
#include <cstdint>
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

/// What every endpoint of a run shares. Units: USD.
struct EndpointOptions {
  std::string base_url;
  double budget = 0;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.base_url,
          OptionInfo{.name = "base-url",
                     .help = "OpenAI-compatible endpoint, https or loopback; empty: "
                             "$OPENAI_BASE_URL, else OpenAI's own. The key comes from "
                             "$SEAWALL_API_KEY or $OPENAI_API_KEY alone"});
    field(self.budget, OptionInfo{.name = "budget",
                                  .help = "USD that may be spent; wanted by --model openai:NAME, "
                                          "and bounds --judge rubric:MODEL too",
                                  .min = 0,
                                  .max = 1e6});
  }
};

/// How a remote model is asked, trained and paid; `--model openai:NAME`. Units: seconds, USD a
/// million tokens (negative: not said).
struct RemoteOptions {
  std::int64_t concurrency = 8, tries = 3;
  double timeout = 30, poll = 10;
  double price_in = -1, price_out = -1, price_train = -1;
  double lr_multiplier = 0;
  bool cancel = false;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.concurrency, OptionInfo{.name = "openai.concurrency",
                                       .help = "requests under way at once",
                                       .min = 1,
                                       .max = 256});
    field(self.tries, OptionInfo{.name = "openai.tries",
                                 .help = "tries a request: 429, 5xx, cut connections and time-outs "
                                         "are tried again",
                                 .min = 1,
                                 .max = 20});
    field(
        self.timeout,
        OptionInfo{
            .name = "openai.timeout", .help = "seconds a try may take", .min = 0.01, .max = 3600});
    field(self.poll, OptionInfo{.name = "openai.poll",
                                .help = "seconds between looks at a fine-tuning job",
                                .min = 0.01,
                                .max = 3600});
    field(self.price_in, OptionInfo{.name = "openai.price-in",
                                    .help = "USD a million prompt tokens of the model",
                                    .min = -1,
                                    .max = 1e6});
    field(self.price_out, OptionInfo{.name = "openai.price-out",
                                     .help = "USD a million answer tokens of the model",
                                     .min = -1,
                                     .max = 1e6});
    field(self.price_train, OptionInfo{.name = "openai.price-train",
                                       .help = "USD a million tokens trained on",
                                       .min = -1,
                                       .max = 1e6});
    field(self.lr_multiplier,
          OptionInfo{.name = "openai.lr-multiplier",
                     .help = "learning rate multiplier of the job; 0: the provider's choice",
                     .min = 0,
                     .max = 1e3});
    field(self.cancel, OptionInfo{.name = "openai.cancel",
                                  .help = "cancel the fine-tuning job of --out and stop"});
  }
};

/// How `--judge rubric:MODEL` asks.
struct RubricOptions {
  std::string base_url, policy, rubric, cache;
  std::int64_t concurrency = 8, tries = 3, max_tokens = 200;
  double timeout = 30, price_in = -1, price_out = -1;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.base_url, OptionInfo{.name = "rubric.base-url",
                                    .help = "endpoint of the judge; empty: as --base-url"});
    field(self.policy, OptionInfo{.name = "rubric.policy",
                                  .help = "text file that says what the model must not do; empty: "
                                          "data/rubric/policy.txt"});
    field(self.rubric, OptionInfo{.name = "rubric.scale",
                                  .help = "text file that says what each score from 1 to 5 means; "
                                          "empty: data/rubric/scale.txt"});
    field(self.cache, OptionInfo{.name = "rubric.cache",
                                 .help = "folder that keeps verdicts; empty: verdicts in the cache "
                                         "folder (SEAWALL_CACHE); none: keep none"});
    field(self.concurrency, OptionInfo{.name = "rubric.concurrency",
                                       .help = "requests under way at once",
                                       .min = 1,
                                       .max = 256});
    field(self.tries,
          OptionInfo{.name = "rubric.tries", .help = "tries a request", .min = 1, .max = 20});
    field(self.max_tokens,
          OptionInfo{
              .name = "rubric.max-tokens", .help = "longest verdict", .min = 1, .max = 100000});
    field(
        self.timeout,
        OptionInfo{
            .name = "rubric.timeout", .help = "seconds a try may take", .min = 0.01, .max = 3600});
    field(self.price_in, OptionInfo{.name = "rubric.price-in",
                                    .help = "USD a million prompt tokens of the judge",
                                    .min = -1,
                                    .max = 1e6});
    field(self.price_out, OptionInfo{.name = "rubric.price-out",
                                     .help = "USD a million answer tokens of the judge",
                                     .min = -1,
                                     .max = 1e6});
  }
};

}  // namespace seawall
