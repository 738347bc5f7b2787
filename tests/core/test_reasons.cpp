#include <gtest/gtest.h>

#include <vector>

#include "seawall/core/reasons.hpp"

namespace seawall {
namespace {

CommonReason common(const std::vector<std::string>& reasons) { return common_reason(reasons); }

TEST(Reasons, NumbersIdsAndLaterLinesDoNotSplitAReason) {
  const auto why = common({"cut", "v.csv: line 3: score '?'", "v.csv: line 12: score 'x'",
                           "want one `score`; it says:\nfirst", "v.csv: line 4: score ''"});
  EXPECT_EQ(why.all, 5);
  EXPECT_EQ(why.count, 3);
  EXPECT_EQ(why.text, "v.csv: line 3: score '?'");
  EXPECT_EQ(common({"a b\nx", "a b\ny", "c"}).count, 2);
  EXPECT_EQ(common({"a\n b\tc"}).text, "a b c") << "one line";
  EXPECT_EQ(common({"b", "a"}).text, "b") << "of equals the first";
  EXPECT_EQ(common({std::string(5000, 'x')}).text.size(), 243u);
  EXPECT_EQ(common({}).all, 0);
  EXPECT_EQ(common({}).text, "");
}

TEST(Reasons, OfARecord) {
  EvaluationRecord record;
  record.judges = {"a", "b"};
  record.results.resize(3);
  for (auto& row : record.results) row.verdicts.resize(2);
  record.results[1].verdicts[1] = {.valid = false, .reason = "no verdict"};
  record.results[2].no_answer = "withheld";
  EXPECT_EQ(invalid_reason(record, 0).all, 0);
  EXPECT_EQ(invalid_reason(record, 1).text, "no verdict");
  EXPECT_EQ(no_answer_reason(record).text, "withheld");
  EXPECT_EQ(no_answer_reason(record).all, 1);
}

}  // namespace
}  // namespace seawall
