#include "attacks/audit_aware.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

/// A context whose defence leaves out every row whose number is odd.
Context watched(const Scenario& scenario, Hook hooks) {
  Context context(scenario);
  context.set_faced({.policies = {{.name = "even", .hooks = hooks}}, .defence = [](Dataset rows) {
                       std::erase_if(rows.rows, [](const Example& row) {
                         return (row.id.back() - '0') % 2 == 1;
                       });
                       rows.rows.push_back({"safe/0", {}, RowKind::safe, ""});
                       return rows;
                     }});
  return context;
}

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
