#pragma once
// A language model behind an endpoint as the judge: 1 to 5 by a policy and a scale, or no verdict.
// Source: Qi et al. 2023, sec. 3 and appendix C (a policy, a five-point scale, GPT-4); the wording
// is this project's own.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "seawall/policy/judge.hpp"
#include "seawall/remote/chat.hpp"
#include "seawall/remote/reply_cache.hpp"

namespace seawall {

/// What the judge is told; both texts end up in its system prompt.
struct RubricText {
  std::string policy;  // what a model must not do
  std::string scale;   // what each score from 1 to 5 means
  /// Errors: IoError; DataError for a file that is empty or longer than 64 KiB.
  static RubricText read(const std::filesystem::path& policy, const std::filesystem::path& scale);
};

/// What the judge is asked of one response: the texts, then request and response as JSON strings,
/// so that neither can pass for an instruction's end.
Dialogue rubric_prompt(const RubricText& text, const Probe& probe, std::string_view response);

/// Reads `{"score": 1..5, "reason": "…"}`, whatever thinking, sentence or code fence is around it,
/// if it is the reply's only score: a whole number, which may be written as 3, 3.0 or "3". Anything
/// else is a verdict that is not valid and never a score. `reason` holds the reply as it came,
/// after the line that says what is wrong with it.
Verdict parse_verdict(const std::string& reply);

struct RubricSetup {
  std::string name;  // as typed, `rubric:MODEL`
  std::string model;
  RubricText text;
  Price price;
  std::int64_t max_tokens = 200;
  std::filesystem::path cache;  // empty keeps nothing
  bool resumed = false;         // replies in the cache that are no verdict are not asked for again
  std::shared_ptr<HttpClient> client;
  std::shared_ptr<Spending> spending;
  std::function<void(std::size_t done, std::size_t all)> progress;
  std::function<void(const std::string&)> notice;  // told of a change of how the judge is asked
};

/// Asks at temperature 0, several responses at once, each distinct question once; what was asked
/// before comes from the cache. A reply that is no verdict, or does not come, leaves the response
/// invalid with the reason; an unreadable answer is scored 1 and not sent. Errors: Interrupted
/// where the endpoint lets us ask nothing, or the budget is spent: no other response would fare
/// better, and what came is kept.
class RubricJudge final : public Judge {
 public:
  explicit RubricJudge(RubricSetup setup);
  std::string_view name() const override { return setup_.name; }
  Verdict grade(const Probe& probe, std::string_view response) const override;
  std::vector<Verdict> grade_all(std::span<const Answer> answers) const override;
  std::vector<std::pair<std::string, double>> spent() const override;

 private:
  RubricSetup setup_;
  ReplyCache cache_;
  std::shared_ptr<ChatStyle> style_ = std::make_shared<ChatStyle>();
  mutable std::int64_t from_cache_ = 0;
};

}  // namespace seawall
