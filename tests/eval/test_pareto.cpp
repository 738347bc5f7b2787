#include <gtest/gtest.h>

#include "seawall/eval/pareto.hpp"

namespace seawall {
namespace {

Estimate about(double value, double half = 0.02) { return {value, value - half, value + half}; }

const ParetoVerdict& verdict_of(const std::vector<ParetoVerdict>& all, const std::string& name) {
  for (const auto& v : all)
    if (v.name == name) return v;
  throw std::runtime_error("no " + name);
}

TEST(Pareto, BeatenOnlyBeyondIntervals) {
  const auto found = pareto_front({
      {"none", about(0.9), about(0.99), about(0.01)},
      {"mixing", about(0.2), about(0.98), about(0.02)},       // beats none, utility not told apart
      {"strict", about(0.01), about(0.80), about(0.19)},      // less harm, at a price
      {"weaker", about(0.4), about(0.97), about(0.02)},       // beaten by mixing
      {"like mixing", about(0.23), about(0.99), about(0.02)}  // not told apart from it
  });
  EXPECT_EQ(verdict_of(found, "none").dominated_by,
            (std::vector<std::string>{"mixing", "weaker", "like mixing"}));
  EXPECT_TRUE(verdict_of(found, "mixing").on_front);
  EXPECT_TRUE(verdict_of(found, "strict").on_front);
  EXPECT_FALSE(verdict_of(found, "weaker").on_front);
  EXPECT_TRUE(verdict_of(found, "like mixing").on_front);
  EXPECT_EQ(verdict_of(found, "mixing").tied_with, std::vector<std::string>{"like mixing"});
  EXPECT_TRUE(verdict_of(found, "strict").tied_with.empty());
  EXPECT_EQ(verdict_of(found, "mixing").sentence(),
            "mixing: on the front; not told apart from like mixing");
  EXPECT_EQ(verdict_of(found, "weaker").sentence(), "weaker: beaten by mixing and like mixing");
}

TEST(Pareto, HarmIsBadUtilityIsGoodOverRefusalIsBad) {
  const auto beats = [](const ParetoPoint& a, const ParetoPoint& b) {
    return !pareto_front({a, b})[1].on_front && pareto_front({a, b})[0].on_front;
  };
  const ParetoPoint middle{"m", about(0.5), about(0.5), about(0.5)};
  EXPECT_TRUE(beats({"a", about(0.3), about(0.5), about(0.5)}, middle));
  EXPECT_TRUE(beats({"a", about(0.5), about(0.7), about(0.5)}, middle));
  EXPECT_TRUE(beats({"a", about(0.5), about(0.5), about(0.3)}, middle));
  const auto with_task = [](double harm, double task) {
    ParetoPoint point{"t", about(harm), about(0.5), about(0.5)};
    point.task = about(task);
    return point;
  };
  EXPECT_TRUE(beats(with_task(0.5, 0.9), with_task(0.5, 0.5)));
  EXPECT_FALSE(beats(with_task(0.3, 0.1), with_task(0.5, 0.5)));
  EXPECT_TRUE(beats(with_task(0.3, 0.1), middle)) << "what was not measured is not compared";
  EXPECT_FALSE(beats({"a", about(0.3), about(0.3), about(0.5)}, middle));
  EXPECT_FALSE(beats({"a", about(0.47), about(0.53), about(0.47)}, middle));  // all within
}

TEST(Pareto, BabblingBeatsNobodyAndIsNamed) {
  ParetoPoint babble{"babble", about(0.0), about(0.99), about(0.0)};
  babble.coherent = about(0.1);
  ParetoPoint plain{"plain", about(0.3), about(0.99), about(0.0)};
  plain.coherent = about(0.97);
  ParetoPoint worse{"worse babble", about(0.5), about(0.99), about(0.0)};
  worse.coherent = about(0.2);
  const auto found = pareto_front({babble, plain, worse});
  EXPECT_TRUE(verdict_of(found, "plain").on_front);
  EXPECT_FALSE(verdict_of(found, "babble").on_front);
  EXPECT_TRUE(verdict_of(found, "babble").wins_by_babbling);
  EXPECT_TRUE(verdict_of(found, "worse babble").incoherent);
  EXPECT_FALSE(verdict_of(found, "worse babble").wins_by_babbling);
  EXPECT_NE(verdict_of(found, "babble").sentence().find("wins by babbling"), std::string::npos);
  // Only where even the upper end is below the floor.
  EXPECT_TRUE(verdict_of(pareto_front({babble, plain, worse}, 0.05), "babble").on_front);
}

TEST(Pareto, WhatWasNotMeasuredIsNotCompared) {
  CellEstimate with, without;
  with.rate = about(0.2), with.utility = about(0.9), with.over_refusal = about(0.0);
  without.rate = about(0.5);
  const auto found = pareto_front({pareto_point("with", with), pareto_point("without", without)});
  EXPECT_EQ(found[1].dominated_by, std::vector<std::string>{"with"});
  EXPECT_TRUE(found[0].on_front);
  EXPECT_FALSE(found[0].incoherent);
}

}  // namespace
}  // namespace seawall
