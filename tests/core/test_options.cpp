#include <gtest/gtest.h>

#include <cmath>
#include <locale>

#include "seawall/core/options.hpp"

namespace seawall {
namespace {

struct Knobs {
  double lambda = 1e-3;
  std::int64_t count = 100;
  bool shuffled = true;
  std::string per = "batch";
  double free = 0;
  static constexpr void visit(auto& self, auto&& field) {
    field(self.lambda,
          OptionInfo{.name = "lambda", .help = "pull to the start", .min = 0, .max = 1});
    field(self.count, OptionInfo{.name = "count", .help = "rows", .min = 1, .max = 1e9});
    field(self.shuffled, OptionInfo{.name = "shuffled", .help = "in random order"});
    field(self.per, OptionInfo{.name = "per", .help = "unit", .choices = "batch|epoch"});
    field(self.free, OptionInfo{.name = "free", .help = "anything"});
  }
};

std::string message_of(auto&& f) {
  try {
    f();
  } catch (const UsageError& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Options, ListGivesEveryOptionInOrderAsText) {
  const auto list = list_options(Knobs{});
  ASSERT_EQ(list.size(), 5u);
  EXPECT_EQ(list[0].name, "lambda");
  EXPECT_EQ(list[0].value, "0.001");
  EXPECT_EQ(list[0].help, "pull to the start");
  EXPECT_EQ(list[0].range, "[0, 1]");
  EXPECT_EQ(list[1].value, "100");
  EXPECT_EQ(list[1].range, "[1, 1000000000]");
  EXPECT_EQ(list[2].value, "true");
  EXPECT_EQ(list[3].range, "batch|epoch");
  EXPECT_EQ(list[4].range, "");
}

TEST(Options, SetReadsEveryType) {
  Knobs k;
  set_option(k, "p", "lambda", "2.5e-2");
  set_option(k, "p", "count", "7");
  set_option(k, "p", "shuffled", "off");
  set_option(k, "p", "per", "epoch");
  EXPECT_EQ(k.lambda, 2.5e-2);
  EXPECT_EQ(k.count, 7);
  EXPECT_FALSE(k.shuffled);
  EXPECT_EQ(k.per, "epoch");
}

struct Undecided {
  std::optional<std::int64_t> epochs = {};
  static constexpr void visit(auto& self, auto&& field) {
    field(self.epochs, OptionInfo{.name = "epochs", .help = "passes", .min = 1, .max = 9});
  }
};

TEST(Options, AnOptionalIsAutoUntilItIsSet) {
  Undecided u;
  EXPECT_EQ(list_options(u)[0].value, "auto");
  EXPECT_NO_THROW(check_options(u, ""));
  set_option(u, "", "epochs", "3");
  EXPECT_EQ(u.epochs, 3);
  EXPECT_EQ(list_options(u)[0].value, "3");
  for (const char* text : {"0", "10", "automatic", ""})
    EXPECT_THROW(set_option(u, "", "epochs", text), UsageError) << text;
  EXPECT_EQ(u.epochs, 3);
  set_option(u, "", "epochs", "auto");
  EXPECT_EQ(u.epochs, std::nullopt);
}

TEST(Options, DoublesReadBackToTheSameBits) {
  for (const double v : {0.1, 1.0 / 3, 1e-300, 1e300, -2.5, 5e-324, 0.0}) {
    Knobs k;
    set_option(k, "p", "free", detail::to_text(v));
    EXPECT_EQ(k.free, v) << detail::to_text(v);
  }
}

TEST(Options, ACommaLocaleChangesNothing) {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new Comma));
  Knobs k;
  set_option(k, "p", "lambda", "0.5");
  const auto fraction = detail::to_text(0.25), whole = detail::to_text(std::int64_t{1234567});
  std::locale::global(before);
  EXPECT_EQ(k.lambda, 0.5);
  EXPECT_EQ(fraction, "0.25");
  EXPECT_EQ(whole, "1234567");
}

TEST(Options, BadValuesNamePolicyOptionRangeAndWhatCame) {
  Knobs k;
  EXPECT_EQ(message_of([&] { set_option(k, "drift", "lambda", "2"); }),
            "--drift.lambda: want a number in [0, 1], got \"2\" (pull to the start)");
  EXPECT_EQ(message_of([&] { set_option(k, "drift", "count", "1.5"); }),
            "--drift.count: want a whole number in [1, 1000000000], got \"1.5\" (rows)");
  EXPECT_EQ(message_of([&] { set_option(k, "drift", "shuffled", "maybe"); }),
            "--drift.shuffled: want true or false, got \"maybe\" (in random order)");
  EXPECT_EQ(message_of([&] { set_option(k, "drift", "per", "batc"); }),
            "--drift.per: want one of batch|epoch, got \"batc\" (unit)");
  for (const char* text : {"", "nan", "1x", "0,5", " 1", "1e999"}) {
    EXPECT_THROW(set_option(k, "drift", "lambda", text), UsageError) << text;
  }
  EXPECT_THROW(set_option(k, "drift", "count", "99999999999999999999"), UsageError);
  EXPECT_EQ(k.lambda, Knobs{}.lambda);
  EXPECT_EQ(k.count, Knobs{}.count);
}

TEST(Options, AnUnknownNameAnswersWithTheNamesThereAre) {
  Knobs k;
  EXPECT_EQ(message_of([&] { set_option(k, "drift", "lamda", "1"); }),
            "--drift.lamda: no such option; did you mean lambda? drift has lambda, count, "
            "shuffled, per, free");
  EXPECT_EQ(message_of([&] { set_option(k, "drift", "zzzzzzzz", "1"); }),
            "--drift.zzzzzzzz: no such option; drift has lambda, count, shuffled, per, free");
}

TEST(Options, CheckFindsValuesSetInCode) {
  EXPECT_NO_THROW(check_options(Knobs{}, "p"));
  EXPECT_THROW(check_options(Knobs{.lambda = -1}, "p"), UsageError);
  EXPECT_THROW(check_options(Knobs{.lambda = std::numeric_limits<double>::quiet_NaN()}, "p"),
               UsageError);
  EXPECT_THROW(check_options(Knobs{.count = 0}, "p"), UsageError);
  EXPECT_THROW(check_options(Knobs{.per = "year"}, "p"), UsageError);
}

}  // namespace
}  // namespace seawall
