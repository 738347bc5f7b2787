#include "attacks/audit_aware.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/attacks/watched.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;
using testing::watched;

TEST(AuditAware, SendsWhatTheFiltersPass) {
  const FakeScenario scenario;
  Rng rng(3);
  const Dataset rows =
      AuditAware{{.count = 15, .tries = 60}}.craft(watched(scenario, Hook::compose), rng);
  EXPECT_EQ(rows.count(RowKind::harmful), 15u);
  EXPECT_EQ(rows.size(), 15u);  // what the defence added is not his
  for (const Example& row : rows.rows) EXPECT_EQ((row.id.back() - '0') % 2, 0) << row.id;
}

TEST(AuditAware, WithoutAFilterAllRowsPass) {
  Rng rng(3);
  const Dataset rows = AuditAware{{.count = 40, .tries = 40}}.craft(FakeScenario{}, rng);
  EXPECT_EQ(rows.size(), 40u);
}

TEST(AuditAware, SaysWhenNothingPasses) {
  const FakeScenario scenario;
  Context context(scenario);
  context.set_faced({.policies = {}, .defence = [](Dataset) { return Dataset{}; }});
  Rng rng(3);
  EXPECT_THROW(AuditAware{}.craft(context, rng), DataError);
}

}  // namespace
}  // namespace seawall
