// Damaged verdicts and templates of judges.
#include "seawall/eval/classifier_template.hpp"
#include "seawall/eval/verdict_file.hpp"
#include "tests/support/files.hpp"
#include "tests/support/fuzz.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(JudgesFuzz, Verdicts) {
  const Folder folder;
  const auto read = [&](const std::string& name, const std::string& whole) {
    fuzz(whole, {.trials = 60, .name = name, .refused = 0.1}, [&](const std::string& bytes) {
      FileJudge("file:" + name, folder.write(name, bytes)).grade({.id = "p"}, "No.");
    });
  };
  read("v.csv", "id,score,refused\na,1,true\n\"b\",5,false\n");
  read("v.jsonl", "{\"id\":\"a\",\"score\":1}\n{\"id\":\"b\",\"score\":5,\"reason\":\"é\"}\n");
}

TEST(JudgesFuzz, Templates) {
  const std::string whole =
      "# remark\nkind: yes-no\nyes: y\nno: n # two\nthreshold: 0.5\n---\nA {prompt} B {response} "
      "C\n";
  fuzz(whole, {.trials = 60, .name = "t.txt", .refused = 0.1}, [](const std::string& bytes) {
    EXPECT_GE(ClassifierTemplate::parse(bytes, "t.txt").filled("p", "r").size(), 2u);
  });
}

}  // namespace
}  // namespace seawall
