#include "seawall/model/decoding.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include "seawall/core/error.hpp"
#include "seawall/core/options.hpp"

namespace seawall {
namespace {

using IdSpan = std::span<const std::int32_t>;
constexpr float ban = -std::numeric_limits<float>::infinity();

bool ends_with(IdSpan text, IdSpan end) {
  return text.size() >= end.size() && std::ranges::equal(text.last(end.size()), end);
}

/// Each token once.
void penalize(IdSpan text, float penalty, std::span<float> scores) {
  std::vector<bool> seen(scores.size());
  for (const auto id : text) {
    if (id < 0 || static_cast<std::size_t>(id) >= scores.size()) continue;
    const auto at = static_cast<std::size_t>(id);
    if (seen[at]) continue;
    seen[at] = true;
    scores[at] = scores[at] < 0 ? scores[at] * penalty : scores[at] / penalty;
  }
}

/// Bans what would complete a run of `n` tokens that `source` holds.
void ban_runs(IdSpan source, IdSpan text, std::int64_t n, std::span<float> scores) {
  const auto size = static_cast<std::size_t>(n);
  if (size == 0 || text.size() + 1 < size || source.size() < size) return;
  const auto prefix = text.last(size - 1);
  for (std::size_t i = 0; i + size <= source.size(); ++i) {
    const auto id = source[i + size - 1];
    if (id >= 0 && static_cast<std::size_t>(id) < scores.size() &&
        std::ranges::equal(source.subspan(i, size - 1), prefix))
      scores[static_cast<std::size_t>(id)] = ban;
  }
}

void set_all(IdSpan ids, float value, std::span<float> scores) {
  for (const auto id : ids) scores[static_cast<std::size_t>(id)] = value;
}

void add_biases(const std::vector<DecodingRules::Bias>& biases, IdSpan text,
                std::span<float> scores) {
  std::vector<float> sum(scores.size());  // a token's biases come together first
  for (const auto& [ids, bias] : biases)
    if (ids.size() == 1) sum[static_cast<std::size_t>(ids[0])] = bias;
  for (const auto& [ids, bias] : biases) {
    const auto before = IdSpan(ids).first(ids.size() - 1);
    if (ids.size() > 1 && ends_with(text, before))
      sum[static_cast<std::size_t>(ids.back())] += bias;
  }
  for (std::size_t i = 0; i < sum.size(); ++i) scores[i] += sum[i];
}

void only(IdSpan ids, std::span<float> scores) {
  std::ranges::fill(scores, ban);
  set_all(ids, 0, scores);
}

void penalize_length(const DecodingRules& rules, const DecodedText& text, std::span<float> scores) {
  const auto [first, factor] = *rules.length_penalty;
  const auto past = static_cast<std::int64_t>(text.answer.size()) - first;
  if (past <= 0) return;
  const auto grown = static_cast<float>(std::pow(factor, past) - 1);
  for (const auto id : rules.eos) {
    auto& score = scores[static_cast<std::size_t>(id)];
    if (std::isfinite(score)) score += std::abs(score) * grown;
  }
}

}  // namespace

void apply_rules(const DecodingRules& rules, const DecodedText& text, std::span<float> scores) {
  std::vector<std::int32_t> all(text.prompt.begin(), text.prompt.end());
  all.insert(all.end(), text.answer.begin(), text.answer.end());
  const auto length = static_cast<std::int64_t>(all.size());
  const auto prompt = static_cast<std::int64_t>(text.prompt.size());
  if (!rules.biases.empty()) add_biases(rules.biases, all, scores);
  if (rules.encoder_repetition_penalty != 1)
    penalize(text.prompt, static_cast<float>(1 / rules.encoder_repetition_penalty), scores);
  if (rules.repetition_penalty != 1)
    penalize(all, static_cast<float>(rules.repetition_penalty), scores);
  ban_runs(all, all, rules.no_repeat_ngram_size, scores);
  ban_runs(text.prompt, all, rules.encoder_no_repeat_ngram_size, scores);
  if (!rules.bad_words.empty()) add_biases(rules.bad_words, all, scores);
  if (length < rules.min_length) set_all(rules.eos, ban, scores);
  if (length - prompt < rules.min_new_tokens) set_all(rules.eos, ban, scores);
  if (rules.forced_bos && length == 1) only(IdSpan(&*rules.forced_bos, 1), scores);
  if (!rules.forced_eos.empty() && length == text.max_length - 1) only(rules.forced_eos, scores);
  if (rules.length_penalty) penalize_length(rules, text, scores);
  set_all(rules.suppress, ban, scores);
  const auto begin = prompt > 1 || !rules.forced_bos ? prompt : prompt + 1;
  if (length == begin) set_all(rules.begin_suppress, ban, scores);
}

namespace {

/// exp(score - greatest), so that none overflows; in fp64, as thousands of them are summed.
std::vector<double> weights_of(std::span<const float> scores) {
  const float most = *std::ranges::max_element(scores);
  std::vector<double> weights;
  weights.reserve(scores.size());
  for (const float score : scores) weights.push_back(std::exp(static_cast<double>(score) - most));
  return weights;
}

}  // namespace

void warp(double temperature, double top_p, std::span<float> scores) {
  for (float& score : scores) score /= static_cast<float>(temperature);
  if (top_p >= 1) return;
  const auto weights = weights_of(scores);
  double total = 0;
  for (const double weight : weights) total += weight;
  std::vector<std::size_t> likely(scores.size());
  std::iota(likely.begin(), likely.end(), std::size_t{0});
  const auto less = [&](std::size_t a, std::size_t b) { return weights[a] < weights[b]; };
  std::ranges::make_heap(likely, less);
  // Those before the one at which the likelier ones hold top_p stay, and it does; one stays always.
  auto end = likely.end();
  for (double held = 0; end != likely.begin() && held < top_p * total; --end) {
    std::ranges::pop_heap(likely.begin(), end, less);
    held += weights[*std::prev(end)];
  }
  for (auto out = likely.begin(); out != end; ++out) scores[*out] = ban;
}

std::int64_t draw(std::span<const float> scores, double uniform) {
  const auto weights = weights_of(scores);
  double total = 0;
  for (const double weight : weights) total += weight;
  if (!std::isfinite(total))
    throw RunError("generate: the logits of an answer are not finite, so no token can be drawn");
  double left = uniform * total;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = static_cast<std::int64_t>(i);
    if (left < weights[i]) break;
    left -= weights[i];
  }
  return last;  // rounding may leave a rest behind the last one
}

bool DecodingRules::plain() const {
  return repetition_penalty == 1 && encoder_repetition_penalty == 1 && no_repeat_ngram_size == 0 &&
         encoder_no_repeat_ngram_size == 0 && biases.empty() && bad_words.empty() &&
         ((min_length == 0 && min_new_tokens == 0 && !length_penalty) || eos.empty()) &&
         !forced_bos && forced_eos.empty() && suppress.empty() && begin_suppress.empty();
}

std::string DecodingRules::text() const {
  std::string out;
  const auto add = [&](bool on, const char* name, const std::string& value) {
    if (on)
      out += (out.empty() ? "" : ", ") + std::string(name) + (value.empty() ? "" : " " + value);
  };
  const auto number = [](double value) { return detail::to_text(value); };
  const auto count = [](std::int64_t value) { return std::to_string(value); };
  const auto many = [](std::size_t n) { return "of " + std::to_string(n) + " entries"; };
  add(!biases.empty(), "sequence_bias", many(biases.size()));
  add(encoder_repetition_penalty != 1, "encoder_repetition_penalty",
      number(encoder_repetition_penalty));
  add(repetition_penalty != 1, "repetition_penalty", number(repetition_penalty));
  add(no_repeat_ngram_size > 0, "no_repeat_ngram_size", count(no_repeat_ngram_size));
  add(encoder_no_repeat_ngram_size > 0, "encoder_no_repeat_ngram_size",
      count(encoder_no_repeat_ngram_size));
  add(!bad_words.empty(), "bad_words_ids", many(bad_words.size()));
  add(min_length > 0 && !eos.empty(), "min_length", count(min_length));
  add(min_new_tokens > 0 && !eos.empty(), "min_new_tokens", count(min_new_tokens));
  add(forced_bos.has_value(), "forced_bos_token_id", count(forced_bos.value_or(0)));
  add(!forced_eos.empty(), "forced_eos_token_id", count(forced_eos.empty() ? 0 : forced_eos[0]));
  if (length_penalty && !eos.empty())
    add(true, "exponential_decay_length_penalty",
        count(length_penalty->first) + " " + number(length_penalty->second));
  add(!suppress.empty(), "suppress_tokens", many(suppress.size()));
  add(!begin_suppress.empty(), "begin_suppress_tokens", many(begin_suppress.size()));
  add(!stop_strings.empty(), "stop_strings", many(stop_strings.size()));
  return change_answers() ? "greedy with " + out : "greedy";
}

}  // namespace seawall
