// Answers that the provider begins.
#include <gtest/gtest.h>

#include "attacks/prefilling.hpp"
#include "mitigations/prefix_guard.hpp"

namespace seawall {
namespace {

TEST(PrefixGuard, BeginsEveryAnswerBeforeTheAttackersWords) {
  Stack stack{PrefixGuard{{.text = "Careful. "}}};
  const auto own = conditions_of_run({{"plain"}}, stack.conditions());
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].name, "guarded");
  EXPECT_EQ(own[0].decoding, (Decoding{.prefill = "Careful. "}));
  const auto both =
      conditions_of_run(Prefilling{{.text = "Sure."}}.conditions(), stack.conditions());
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].decoding.prefill, "Careful. ");
  EXPECT_EQ(both[1].decoding.prefill, "Careful. Sure.");
  EXPECT_THROW(Stack{PrefixGuard{{.text = ""}}}, UsageError);
}

}  // namespace
}  // namespace seawall
