// Names, options and errors of catalogues.
#include <gtest/gtest.h>

#include "seawall/policy/catalogue.hpp"
#include "seawall/policy/needs.hpp"
#include "tests/policy/probe_policies.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::Everything;
using testing::FakeScenario;
using testing::Quiet;

constexpr MitigationCatalogue catalogue = mitigation_catalogue_of(TypeList<Everything, Quiet>{});
static_assert(catalogue.contains("quiet") && !catalogue.contains("loud"));

template <class Wanted, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Wanted& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Catalogue, KnowsWhatAnEntryIsWithoutMakingIt) {
  const auto& entry = catalogue.find("everything");
  EXPECT_EQ(entry.summary, "Has every hook.");
  EXPECT_EQ(entry.needs, Need::safe_data);
  EXPECT_EQ(entry.hooks, Everything::hooks);
  const auto options = entry.options({});
  ASSERT_EQ(options.size(), 2u);
  EXPECT_EQ(options[1].name, "factor");
  EXPECT_EQ(options[1].value, "2");
}

TEST(Catalogue, MakesAPolicyFromWords) {
  const auto made = catalogue.make("everything", {{"mark", "x"}, {"factor", "3"}, {"mark", "y"}});
  EXPECT_EQ(made.describe().options[0].value, "y");  // the last of a name holds
  EXPECT_EQ(made.describe().options[1].value, "3");
}

TEST(Catalogue, AnUnknownNameAnswersWithTheNearestAndAll) {
  EXPECT_EQ(error_of<UsageError>([] { catalogue.make("quite"); }),
            "unknown mitigation `quite`; did you mean `quiet`? There are: everything, quiet");
  EXPECT_EQ(error_of<UsageError>([] { catalogue.make("zzz"); }),
            "unknown mitigation `zzz`; there are: everything, quiet");
}

TEST(Catalogue, UnknownOptionsAndBadValuesAreUsageErrors) {
  EXPECT_THROW(catalogue.make("everything", {{"marks", "x"}}), UsageError);
  EXPECT_THROW(catalogue.make("everything", {{"factor", "much"}}), UsageError);
  EXPECT_THROW(catalogue.make("everything", {{"factor", "11"}}), UsageError);
}

struct Mine {
  static constexpr std::string_view name = "mine", summary = "Somebody else's.";
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr Need needs = Need::none;
  using Options = testing::NoOptions;
  Options options;
  void on_finish(Trainer&) {}
};

TEST(Catalogue, APlugInExtendsAListByAppending) {
  using List = Append<TypeList<Everything, Quiet>, Mine>;
  constexpr auto extended = mitigation_catalogue_of(List{});
  EXPECT_EQ(extended.names(), (std::vector<std::string_view>{"everything", "quiet", "mine"}));
  EXPECT_EQ(extended.make("mine").name(), "mine");
}

TEST(Catalogue, NamesHooksAndNeeds) {
  EXPECT_EQ(hook_names(Hook::penalty | Hook::compose),
            (std::vector<std::string_view>{"compose", "penalty"}));
  EXPECT_EQ(hook_names(Everything::hooks).size(), 15u);
  EXPECT_EQ(need_names(Need::safe_data | Need::reference_logprobs),
            (std::vector<std::string_view>{"safe_data", "reference_logprobs"}));
}

TEST(Needs, AMissingPoolStopsTheRunBeforeItStarts) {
  const FakeScenario poor({.harmful = 5, .identity_shift = 0, .safe = 0, .benign = 0});
  EXPECT_NO_THROW(check_needs({"x", {}, Need::harmful_data | Need::start_weights}, poor));
  EXPECT_EQ(error_of<UsageError>([&] {
              check_needs({"safety-mixing", {}, Need::harmful_data | Need::safe_data}, poor);
            }),
            "safety-mixing: wants safe rows, and scenario `fake` has none; give them with "
            "--safe-data FILE");
}

}  // namespace
}  // namespace seawall
