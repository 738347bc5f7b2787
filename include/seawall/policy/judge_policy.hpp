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
// in order. An answer that it cannot grade is a Verdict with `valid` false and a reason. What it
// costs it may give with `spent() const`, as Judge does.
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
namespace detail {

struct JudgeNames {
  int grade, grade_all;
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

template <class J>
struct MakeAny<std::unique_ptr<Judge>, J> {
  static std::unique_ptr<Judge> of(J judge) {
    return std::make_unique<HeldJudge<J>>(std::move(judge));
  }
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
  static_assert(detail::GradesOne<J> || detail::GradesAll<J>,
                "judge: want `Verdict grade(const Probe&, std::string_view response) const` or "
                "`std::vector<Verdict> grade_all(std::span<const Answer>) const`");
  return true;
}

using JudgeCatalogue = Catalogue<std::unique_ptr<Judge>>;

template <class... Js>
constexpr JudgeCatalogue judge_catalogue_of(TypeList<Js...>) {
  static_assert((explain_judge<Js>() && ...));
  return {"judge", detail::Table<std::unique_ptr<Judge>, TypeList<Js...>>::entries};
}

}  // namespace seawall
