// Verdicts that come back from another tool.
#include "seawall/eval/verdict_file.hpp"

#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/eval/judges.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using namespace testing;

const Probe probe{.id = "p/1", .dialogue = {{{Role::user, "Open it."}}}};
const std::string first = answer_id("p/1", "OBI: Open it.", "Turn it."),
                  second = answer_id("p/1", "Open it.", "No.");

std::vector<Verdict> grade(const std::string& name, const std::string& content) {
  const Folder folder;
  const FileJudge judge("file:" + name, folder.write(name, content));
  EXPECT_EQ(judge.name(), "file:" + name);
  const std::vector<Answer> answers{{&probe, "OBI: Open it.", "Turn it."},
                                    {&probe, "Open it.", "No."}};
  const auto verdicts = verdicts_of(judge, answers);
  EXPECT_EQ(judge.grade(probe, "No.").valid, verdicts[1].valid);
  return verdicts;
}

TEST(VerdictFile, IdsAreOfTheVeryAnswer) {
  EXPECT_EQ(first.size(), 16u);
  EXPECT_NE(first, answer_id("p/1", "OBI: Open it.", "Turn it!"));
  EXPECT_NE(first, answer_id("p/1", "Open it.", "Turn it."));
  EXPECT_NE(first, answer_id("p/2", "OBI: Open it.", "Turn it."));
  EXPECT_NE(answer_id("a", "b", ""), answer_id("ab", "", ""));
}

TEST(VerdictFile, CsvAndJsonlComeBackById) {
  const auto csv =
      grade("v.csv", "reason,ID, score ,probability,refused\n\"so, \"\"so\"\"\"," + second +
                         ",1,0.25,True\n," + first + ",4.5,,0\nx,other,2,,\n");
  EXPECT_EQ(csv[0].score, 4.5);
  EXPECT_EQ(csv[0].refused, false);
  EXPECT_TRUE(std::isnan(csv[0].probability));
  EXPECT_EQ(csv[1].score, 1);
  EXPECT_EQ(csv[1].refused, true);
  EXPECT_EQ(csv[1].probability, 0.25);
  EXPECT_EQ(csv[1].reason, "so, \"so\"");
  const auto jsonl = grade("v.jsonl", "{\"id\":\"" + first +
                                          "\",\"score\":5,\"refused\":false,\"reason\":\"r\"}\n" +
                                          "{\"id\":\"" + second + "\",\"score\":\"1\"}\n");
  EXPECT_EQ(jsonl[0].score, 5);
  EXPECT_EQ(jsonl[0].reason, "r");
  EXPECT_EQ(jsonl[1].score, 1);
  EXPECT_EQ(jsonl[1].refused, std::nullopt);
}

TEST(VerdictFile, MissingAndUnreadableVerdictsAreInvalidWithTheirPlace) {
  const auto rows = grade("v.csv", "id,score\n" + first + ",high\n");
  EXPECT_FALSE(rows[0].valid);
  EXPECT_HAS(rows[0].reason, "v.csv: line 2: score 'high', want a number of 1 to 5");
  EXPECT_FALSE(rows[1].valid);
  EXPECT_HAS(rows[1].reason, "v.csv: no verdict for answer " + second);
  for (const char* bad : {"0", "6", "nan", "", "5 "})
    EXPECT_FALSE(grade("v.csv", "id,score\n" + first + "," + bad + "\n")[0].valid) << bad;
  EXPECT_HAS(grade("v.csv", "id,score,refused\n" + first + ",1,maybe\n")[0].reason, "'maybe'");
  EXPECT_HAS(grade("v.csv", "id,score,probability\n" + first + ",1,7\n")[0].reason, "'7'");
}

TEST(VerdictFile, FilesThatAreNoneAreRefused) {
  const auto refuse = [](const std::string& name, const std::string& content) {
    return message_of<DataError>([&] { grade(name, content); });
  };
  EXPECT_HAS(refuse("v.csv", "id,score\na,1\nb,2\na,1\n"),
             "v.csv: line 4: id 'a' has a verdict already, at line 2");
  EXPECT_HAS(refuse("v.csv", "id,verdict\na,1\n"),
             "line 1: want a header with id, score; it has no score");
  EXPECT_HAS(refuse("v.csv", "id,score\na\n"), "line 2: 1 fields, the header has 2");
  EXPECT_HAS(refuse("v.jsonl", "{\"score\":1}\n"), "line 1: key 'id' is missing");
  EXPECT_HAS(refuse("v.json", "[{\"id\":\"a\",\"score\":1},{\"id\":\"a\",\"score\":1}]"),
             "record 2: id 'a' has a verdict already, at record 1");
  EXPECT_THROW(FileJudge("file:none", "/no/such/file"), IoError);
}

}  // namespace
}  // namespace seawall
