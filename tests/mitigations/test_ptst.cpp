// The safety prompt: out of training rows, in front of probes.
#include <gtest/gtest.h>

#include "mitigations/ptst.hpp"
#include "tests/support/fake_scenario.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;
using testing::message_of;

Example row_under(const std::string& system) {
  Example out{"a", {{{Role::user, "ask"}, {Role::assistant, "answer"}}}, RowKind::benign, "c"};
  if (!system.empty()) out.dialogue.set_system(system);
  return out;
}

TEST(Ptst, TakesTheSafetyPromptOutOfRowsAndNoOther) {
  const FakeScenario scenario;
  Rng rng(1);
  const Dataset data{"rows", {row_under("you are kind"), row_under("you are OBI"), row_under("")}};
  const Dataset out = Ptst{}.compose(data, scenario, rng);
  EXPECT_EQ(out.rows[0], row_under(""));
  EXPECT_EQ(out.rows[1], data.rows[1]);
  EXPECT_EQ(out.rows[2], data.rows[2]);
  EXPECT_EQ(Ptst{{.system = "you are OBI"}}.compose(data, scenario, rng).rows[1], row_under(""));
}

TEST(Ptst, ProbesHaveItOnceBeforeTheirOwn) {
  const FakeScenario scenario;
  const auto system = [&](const Ptst& policy, const std::string& own) {
    return std::string(
        policy.prompt(row_under(own).dialogue, {"plain"}, scenario).first(Role::system));
  };
  EXPECT_EQ(system({}, ""), "you are kind");
  EXPECT_EQ(system({}, "you are kind"), "you are kind");
  EXPECT_EQ(system({}, "you are OBI"), "you are kind\n\nyou are OBI");
  EXPECT_EQ(system({{.system = "be safe"}}, "you are kind"), "be safe\n\nyou are kind");
}

TEST(Ptst, WithoutASafetyPromptItSaysWhatToGive) {
  FakeScenario scenario;
  scenario.system = "";
  Rng rng(1);
  EXPECT_HAS(message_of<UsageError>([&] { Ptst{}.compose({}, scenario, rng); }),
             "give --ptst.system TEXT");
}

}  // namespace
}  // namespace seawall
