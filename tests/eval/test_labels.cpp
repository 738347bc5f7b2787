#include "seawall/eval/labels.hpp"

#include "seawall/core/error.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using namespace testing;

LabelledAnswers labels(const std::string& content, const std::string& scale = "auto") {
  const Folder folder;
  return read_labels(folder.write("l.csv", content), scale);
}
std::string refuse(const std::string& content, const std::string& scale = "auto") {
  return message_of<DataError>([&] { labels(content, scale); });
}

TEST(Labels, TwoOrFiveSteps) {
  const auto two = labels("prompt,response,label,category\n\"a, b\",r,1,k\nc,s, 0 ,k\n");
  EXPECT_FALSE(two.steps);
  ASSERT_EQ(two.record.results.size(), 2u);
  EXPECT_EQ(two.record.results[0].prompt, "a, b");
  EXPECT_EQ(two.record.results[0].category, "k");
  EXPECT_EQ(two.record.results[0].verdicts[0].score, 5);
  EXPECT_EQ(two.record.results[1].verdicts[0].score, 1);
  EXPECT_EQ(two.probes[1].dialogue.messages[0].content, "c");
  EXPECT_EQ(two.probes[1].id, "l/2");
  const auto five = labels("label,prompt,response,id\n1,a,r,x\n3,b,s,y\n");
  EXPECT_TRUE(five.steps);
  EXPECT_EQ(five.record.results[1].verdicts[0].score, 3);
  EXPECT_EQ(five.record.results[0].probe_id, "x");
  EXPECT_EQ(labels("{\"prompt\":\"a\",\"response\":\"r\",\"label\":0}\n").probes[0].id, "l/1");
}

TEST(Labels, ScaleIsAskedForWhereItCannotBeTold) {
  const std::string ones = "prompt,response,label\na,r,1\n";
  EXPECT_HAS(message_of<UsageError>([&] { labels(ones); }), "say --scale");
  EXPECT_EQ(labels(ones, "0-1").record.results[0].verdicts[0].score, 5);
  EXPECT_EQ(labels(ones, "1-5").record.results[0].verdicts[0].score, 1);
}

TEST(Labels, WrongOnesNameTheLine) {
  const std::string head = "prompt,response,label\n";
  EXPECT_HAS(refuse("prompt,response\na,b\n"), "l.csv: line 1: want a header");
  EXPECT_HAS(refuse(head + "a,b,0\na,b,yes\n"),
             "line 3: label 'yes', want a whole number of 0 to 5");
  EXPECT_HAS(refuse(head + "a,b,2\n", "0-1"), "want a whole number of 0 to 1");
  EXPECT_HAS(refuse(head + "a,b,0\n", "1-5"), "want a whole number of 1 to 5");
  EXPECT_HAS(refuse(head + "a,b,0\na,b,4\n"), "labels of 0 and of 4");
  EXPECT_HAS(refuse(head + "a,b\n"), "line 2: 2 fields, the header has 3");
  EXPECT_HAS(refuse(head), "no labelled answer");
  EXPECT_HAS(refuse("id,prompt,response,label\nx,a,b,0\nx,a,b,1\n"), "line 3: id 'x' comes twice");
  EXPECT_HAS(refuse("{\"prompt\":\"a\",\"response\":\"b\"}\n"), "key 'label': want a number");
}

}  // namespace
}  // namespace seawall
