#include "seawall/run/remote_setup.hpp"

#include <limits>

#include "seawall/core/cache.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/text.hpp"
#include "seawall/eval/rubric.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/remote/moderation.hpp"
#include "seawall/train/signals.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view openai_prefix = "openai:", rubric_prefix = "rubric:";

void stop_on_signal() {
  if (const int signal = stop_signal(); signal != 0)
    throw Interrupted(
        stop_exit_code(signal),
        "stopped by a signal while an endpoint was asked; what came is kept, continue "
        "with --resume");
}

RubricText rubric_text(const RubricOptions& options) {
  const auto file = [](const std::string& own, const char* shipped) {
    return own.empty() ? data_folder() / "rubric" / shipped : fs::path(own);
  };
  return RubricText::read(file(options.policy, "policy.txt"), file(options.rubric, "scale.txt"));
}

fs::path verdict_folder(const std::string& option) {
  if (option == "none") return {};
  return option.empty() ? cache_folder("verdicts") : fs::path(option);
}

const std::string& rubric_url(const RunSpec& spec) {
  return spec.rubric.base_url.empty() ? spec.endpoint.base_url : spec.rubric.base_url;
}

/// Options that change how an endpoint is asked, not what it says.
bool decides_no_answer(const std::string& name) {
  const auto is = [&](const char* end) { return name.ends_with(end); };
  return is("concurrency") || is("tries") || is("timeout") || is("cache") || is("poll") ||
         is("cancel") || is("budget") || is("price-in") || is("price-out") || is("price-train");
}

}  // namespace

bool is_remote(const RunSpec& spec) { return spec.model.name.starts_with(openai_prefix); }

std::string remote_model_name(const RunSpec& spec) {
  return spec.model.name.starts_with(openai_prefix) ? spec.model.name.substr(openai_prefix.size())
                                                    : "";
}

std::vector<std::string> rubric_models(const RunSpec& spec) {
  std::vector<std::string> models;
  for (const auto& word : split_list(spec.evaluation.judges))
    if (word.starts_with(rubric_prefix)) models.push_back(word.substr(rubric_prefix.size()));
  return models;
}

Moderation make_moderation(const RunSpec& spec) {
  return [spec](const Dataset& rows) -> std::vector<Moderated> {
    if (spec.place.dry_run) {
      warn("seawall: a dry run sends nothing: no row was moderated, all are counted\n");
      return std::vector<Moderated>(rows.size());
    }
    const auto client =
        make_client(spec.endpoint.base_url, {.concurrency = spec.remote.concurrency,
                                             .tries = spec.remote.tries,
                                             .timeout = spec.remote.timeout,
                                             .seed = static_cast<std::uint64_t>(spec.seed)});
    return moderate_rows(*client, ReplyCache(cache_folder("moderations")), rows);
  };
}

std::string rubric_texts(const RunSpec& spec) {
  const RubricText text = rubric_text(spec.rubric);
  return text.policy + "\n\n" + text.scale;
}

std::shared_ptr<HttpClient> make_client(const std::string& base_url, const HttpOptions& options,
                                        bool needs_key) {
  HttpOptions with = options;
  with.poll = stop_on_signal;
  return std::make_shared<HttpClient>(Endpoint::from_environment(base_url, needs_key), with);
}

std::unique_ptr<Judge> make_rubric_judge(const std::string& word, const RunSpec& spec,
                                         std::shared_ptr<Spending> spending) {
  const RubricOptions& options = spec.rubric;
  RubricSetup setup;
  setup.name = word;
  setup.model = word.substr(rubric_prefix.size());
  if (setup.model.empty())
    throw UsageError("--judge rubric:: want rubric:MODEL, the model's name at the endpoint");
  if (spec.endpoint.budget > 0 && (options.price_in < 0 || options.price_out < 0))
    throw UsageError("--budget with --judge " + word +
                     ": want what its tokens cost, --rubric.price-in and --rubric.price-out (USD a "
                     "million; 0 where they cost nothing)");
  setup.text = rubric_text(options);
  setup.price = {.in = std::max(0.0, options.price_in), .out = std::max(0.0, options.price_out)};
  setup.max_tokens = options.max_tokens;
  setup.cache = verdict_folder(options.cache);
  setup.resumed = spec.place.resume;
  setup.notice = [word](const std::string& what) {
    warn("seawall: --judge %s: %s\n", word.c_str(), what.c_str());
  };
  setup.spending = std::move(spending);
  setup.client = make_client(rubric_url(spec),
                             {.concurrency = options.concurrency,
                              .tries = options.tries,
                              .timeout = options.timeout,
                              .seed = static_cast<std::uint64_t>(spec.seed)},
                             !spec.place.dry_run);
  if (!spec.place.dry_run) {
    const HttpAnswer answer = setup.client->ask({.path = "/models"});
    const std::string where = "--judge " + word + ": " + setup.client->endpoint().url() + ": ";
    if (answer.status == 401 || answer.status == 403)
      throw UsageError(where + answer.error + "; set OPENAI_API_KEY or SEAWALL_API_KEY to its key");
    // One that lists no models may still answer.
    if (answer.status == 0) throw IoError(where + answer.error);
  }
  if (!spec.place.quiet) {
    setup.progress = [word, bar = std::shared_ptr<Progress>()](std::size_t done,
                                                               std::size_t all) mutable {
      if (!bar) bar = std::make_shared<Progress>("judge " + word, static_cast<std::int64_t>(all));
      bar->update(static_cast<std::int64_t>(done), 0, std::numeric_limits<double>::quiet_NaN());
      if (done == all) bar.reset();
    };
  }
  return std::make_unique<RubricJudge>(std::move(setup));
}

std::vector<std::pair<std::string, std::string>> remote_fields(const RunSpec& spec) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](const auto& options) {
    for (const auto& o : list_options(options))
      if (!decides_no_answer(o.name)) out.emplace_back(o.name, o.value);
  };
  const bool judged = !rubric_models(spec).empty() && !spec.evaluation.none;
  if (judged || !remote_model_name(spec).empty()) add(spec.endpoint);
  if (!remote_model_name(spec).empty()) add(spec.remote);
  if (judged) {
    add(spec.rubric);
    const RubricText text = rubric_text(spec.rubric);
    out.emplace_back("rubric.sha256", Sha256().field(text.policy).field(text.scale).hex());
  }
  return out;
}

void check_remote_words(const RunSpec& spec, const std::vector<std::string>& given) {
  const bool judged = !rubric_models(spec).empty(), remote = !remote_model_name(spec).empty();
  for (const auto& name : given) {
    if (name.starts_with("openai.") && !remote)
      throw UsageError("--" + name +
                       ": the run has no remote model; add --model openai:NAME, or leave it out");
    if (name.starts_with("rubric.") && !judged)
      throw UsageError("--" + name +
                       ": the run has no such judge; add --judge rubric:MODEL, or leave it out");
  }
}

}  // namespace seawall
