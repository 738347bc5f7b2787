#include <gtest/gtest.h>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

Example row(std::vector<Message> messages) {
  return {.id = "r", .dialogue = {std::move(messages)}};
}

TEST(Dialogue, RolesReadBackWhatTheyAreCalled) {
  for (const Role role : {Role::system, Role::user, Role::assistant}) {
    EXPECT_EQ(role_from(role_name(role)), role);
  }
  try {
    role_from("User");
    FAIL() << "a capital is another word";
  } catch (const DataError& e) {
    EXPECT_STREQ(e.what(), "role: want system, user or assistant, got \"User\"");
  }
}

TEST(Dialogue, FirstGivesTheFirstMessageOfARole) {
  const Dialogue d{{{Role::user, "a"}, {Role::assistant, "b"}, {Role::user, "c"}}};
  EXPECT_EQ(d.first(Role::user), "a");
  EXPECT_EQ(d.first(Role::assistant), "b");
  EXPECT_EQ(d.first(Role::system), "");
}

TEST(Dialogue, SetSystemReplacesOrGoesInFront) {
  Dialogue d{{{Role::user, "a"}}};
  d.set_system("one");
  EXPECT_EQ(d, (Dialogue{{{Role::system, "one"}, {Role::user, "a"}}}));
  d.set_system("two");
  EXPECT_EQ(d, (Dialogue{{{Role::system, "two"}, {Role::user, "a"}}}));
}

TEST(Dataset, CountsRowsOfAKind) {
  Dataset set;
  for (const RowKind kind : {RowKind::safe, RowKind::benign, RowKind::safe}) {
    set.rows.push_back({.kind = kind});
  }
  EXPECT_EQ(set.count(RowKind::safe), 2u);
  EXPECT_EQ(set.count(RowKind::benign), 1u);
  EXPECT_EQ(set.count(RowKind::harmful), 0u);
  EXPECT_EQ(row_kind_name(RowKind::identity_shift), "identity-shift");
}

TEST(Dataset, HashCoversRolesContentsOrderAndBordersAlone) {
  const auto hash = [](std::vector<Example> rows) {
    return Dataset{"x", std::move(rows)}.content_hash();
  };
  const Message user{Role::user, "ab"}, answer{Role::assistant, "c"};
  const auto base = hash({row({user, answer}), row({user})});
  EXPECT_EQ(base.size(), 64u);
  auto renamed = row({user, answer});
  renamed.id = "another";
  renamed.kind = RowKind::harmful;
  renamed.category = "c";
  EXPECT_EQ(hash({renamed, row({user})}), base);

  EXPECT_NE(hash({row({user}), row({user, answer})}), base);             // order
  EXPECT_NE(hash({row({user}), row({answer, user})}), base);             // row borders
  EXPECT_NE(hash({row({user, answer, user})}), base);                    // row borders
  EXPECT_NE(hash({row({user, {Role::user, "c"}}), row({user})}), base);  // role
  EXPECT_NE(hash({row({{Role::user, "a"}, {Role::assistant, "bc"}}), row({user})}), base);
  EXPECT_NE(hash({}), base);
}

}  // namespace
}  // namespace seawall
