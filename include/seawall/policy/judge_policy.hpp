#pragma once
// A judge as a plug-in: the same shape as an attack or a mitigation.
//
//   struct Brevity {
//     static constexpr std::string_view name = "brevity", summary = "…";
//     struct Options { … static constexpr void visit(auto& self, auto&& field); } options;
//     Verdict grade(const Probe&, std::string_view response) const;
//   };
//   static_assert(seawall::explain_judge<Brevity>());
//
// A judge that grades all answers of an evaluation at once (a model, a connection) has
// `std::vector<Verdict> grade_all(std::span<const Answer>) const` instead, one verdict per answer,
// in order. An answer that it cannot grade is a Verdict with `valid` false and a reason; one that
// does not say whether an answer refuses leaves `refused` out. What it costs it may give with
// `spent() const`, as Judge does.
//
// A judge that needs the run, or a word after its name (`keyword:qi2023`), makes the Judge itself:
//     static constexpr std::string_view argument = "LIST";  // what the word is, for help
//     std::unique_ptr<Judge> make(const JudgeWord& word, const JudgeSetting& setting) const;
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/catalogue.hpp"
#include "seawall/policy/judge.hpp"

namespace seawall {

struct RunSpec;
class Spending;

/// A judge as it was typed.
struct JudgeWord {
  std::string whole, argument;  // keyword:qi2023, qi2023
};

/// What a judge may know of the run that it is made for.
struct JudgeSetting {
  const Scenario& scenario;
  const RunSpec* run = nullptr;                  // its options (run_spec.hpp); null outside of one
  std::shared_ptr<Spending> spending = nullptr;  // what judges that cost money charge
};

/// Words of one judge with what they mean, for `seawall list judges`.
using JudgeWords = std::vector<std::pair<std::string, std::string>>;

namespace detail {

struct JudgeNames {
  int grade, grade_all, make;
};
template <class J>
concept GradesOne = requires(const J& j, const Probe& probe, std::string_view response) {
  { j.grade(probe, response) } -> std::same_as<Verdict>;
};
template <class J>
concept GradesAll = requires(const J& j, std::span<const Answer> answers) {
  { j.grade_all(answers) } -> std::same_as<std::vector<Verdict>>;
};
template <class J>
concept SaysWhatItSpent = requires(const J& j) {
  { j.spent() } -> std::same_as<std::vector<std::pair<std::string, double>>>;
};

template <class J>
concept MakesJudge = requires(const J& j, const JudgeWord& word, const JudgeSetting& setting) {
  { j.make(word, setting) } -> std::same_as<std::unique_ptr<Judge>>;
};
template <class J>
concept HasArgument = requires {
  { J::argument } -> std::convertible_to<std::string_view>;
};

/// A judge policy behind the interface that evaluations use.
template <class J>
class HeldJudge final : public Judge {
 public:
  /// Errors: UsageError for an option out of range.
  explicit HeldJudge(J judge) : judge_(std::move(judge)) { check_policy(judge_); }
  std::string_view name() const override { return J::name; }
  Verdict grade(const Probe& probe, std::string_view response) const override {
    if constexpr (GradesOne<J>) {
      return judge_.grade(probe, response);
    } else {
      const Answer answer{.probe = &probe, .prompt = "", .response = response};
      return std::move(judge_.grade_all({&answer, 1}).at(0));
    }
  }
  std::vector<Verdict> grade_all(std::span<const Answer> answers) const override {
    if constexpr (GradesAll<J>)
      return judge_.grade_all(answers);
    else
      return Judge::grade_all(answers);
  }
  std::vector<std::pair<std::string, double>> spent() const override {
    if constexpr (SaysWhatItSpent<J>)
      return judge_.spent();
    else
      return {};
  }

 private:
  J judge_;
};

}  // namespace detail

/// True if J is a judge; otherwise the build stops with one line that says what is wanted.
template <class J>
consteval bool explain_judge() {
  detail::explain_shape<J>();
  using Names = detail::Both<J, detail::JudgeNames>;
  static_assert(
      detail::GradesOne<J> || requires { &Names::grade; },
      "judge grade: of another signature; want `Verdict grade(const Probe&, std::string_view "
      "response) const`");
  static_assert(
      detail::GradesAll<J> || requires { &Names::grade_all; },
      "judge grade_all: of another signature; want `std::vector<Verdict> "
      "grade_all(std::span<const Answer>) const`");
  static_assert(
      detail::MakesJudge<J> || requires { &Names::make; },
      "judge make: of another signature; want `std::unique_ptr<Judge> make(const JudgeWord&, const "
      "JudgeSetting&) const`");
  static_assert(detail::GradesOne<J> || detail::GradesAll<J> || detail::MakesJudge<J>,
                "judge: want `Verdict grade(const Probe&, std::string_view response) const` or "
                "`std::vector<Verdict> grade_all(std::span<const Answer>) const`");
  static_assert(
      detail::MakesJudge<J> || !detail::HasArgument<J>,
      "judge: one with an `argument` wants `std::unique_ptr<Judge> make(const JudgeWord&, "
      "const JudgeSetting&) const`");
  return true;
}

/// One row of a catalogue of judges.
struct JudgeEntry {
  std::string_view name, summary;
  std::string_view argument;  // what comes after the name and a colon; "": nothing
  std::vector<OptionValue> (*options)(const OptionTexts&) =
      nullptr;  // as they are with these texts
  std::unique_ptr<Judge> (*make)(const OptionTexts&, const JudgeWord&,
                                 const JudgeSetting&) = nullptr;
  JudgeWords (*words)() = nullptr;                           // null: name and argument
  std::string (*text)(std::string_view argument) = nullptr;  // more for `describe`; null: nothing
};

namespace detail {

struct JudgeRow {
  template <class J>
  static std::unique_ptr<Judge> make(const OptionTexts& texts, const JudgeWord& word,
                                     const JudgeSetting& setting) {
    J judge = with_options<J>(texts);
    if constexpr (MakesJudge<J>)
      return judge.make(word, setting);
    else
      return std::make_unique<HeldJudge<J>>(std::move(judge));
  }
  template <class J>
  static constexpr JudgeEntry of() {
    JudgeEntry entry{.name = J::name,
                     .summary = J::summary,
                     .argument = "",
                     .options = options_with<J>,
                     .make = make<J>};
    if constexpr (HasArgument<J>) entry.argument = J::argument;
    if constexpr (requires { J::words(); }) entry.words = J::words;
    if constexpr (requires { J::text(std::string_view()); }) entry.text = J::text;
    return entry;
  }
};

}  // namespace detail

/// Judges by what --judge takes: a name, or a name with an argument.
class JudgeCatalogue : public Catalogue<JudgeEntry> {
 public:
  using Catalogue<JudgeEntry>::Catalogue;
  /// The entry of a word. Errors: UsageError with the nearest word and those there are; also for an
  /// argument that is missing or that the judge does not take.
  const JudgeEntry& find_word(std::string_view word) const;
  /// Errors: those of find_word, of the options, and of the judge.
  std::unique_ptr<Judge> make(std::string_view word, const OptionTexts& options,
                              const JudgeSetting& setting) const;
  /// All words with what they mean.
  JudgeWords words() const;
};

template <class... Js>
constexpr JudgeCatalogue judge_catalogue_of(TypeList<Js...>) {
  static_assert((explain_judge<Js>() && ...));
  return {"judge", detail::CatalogueTable<detail::JudgeRow, JudgeEntry, TypeList<Js...>>::entries};
}

/// `keyword` of `keyword:qi2023`.
std::string_view judge_name(std::string_view word);
/// The words of one judge: its own list, or its name with its argument.
JudgeWords words_of(const JudgeEntry& judge);

}  // namespace seawall
