// A local model as judge, against transformers (data/golden/make_classifier.py) and by hand.
#include "seawall/eval/classifier.hpp"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::message_of;

const std::filesystem::path data = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data";

/// The tiny golden Llama with its tokenizer.
struct Tiny {
  HfFolder files = read_hf_folder(data / "golden" / "llama_tiny");
  Decoder decoder{files.config, std::move(files.weights)};
  std::unique_ptr<Tokenizer> tokenizer =
      load_tokenizer_json(data / "golden" / "llama_tiny" / "tokenizer.json");
  std::unique_ptr<ChatTemplate> chat = make_chat_template("chatml");
  ClassifierJudge judge(const ClassifierTemplate& how) const {
    return {"classifier:tiny:test", how, {decoder, *tokenizer, *chat}, nullptr};
  }
};

struct Rows {
  std::vector<Probe> probes;
  std::vector<std::string> responses;
  std::vector<Answer> answers() const {
    std::vector<Answer> out;
    for (std::size_t i = 0; i < probes.size(); ++i)
      out.push_back({&probes[i], "as the attack puts it", responses[i]});
    return out;
  }
  void add(const std::string& prompt, const std::string& response) {
    probes.push_back({.id = "p", .dialogue = {{{Role::user, prompt}}}});
    responses.push_back(response);
  }
};

TEST(Classifier, SaysWhatTransformersSays) {
  std::ifstream in(data / "golden" / "classifier.json");
  const auto golden = nlohmann::json::parse(in);
  const Tiny tiny;
  Rows rows;
  for (const auto& row : golden["rows"]) rows.add(row["prompt"], row["response"]);
  const auto answers = rows.answers();
  for (const std::string kind : {"yes-no", "scale"}) {
    const auto how =
        ClassifierTemplate::parse(golden["templates"][kind].get<std::string>(), "golden");
    const auto judge = tiny.judge(how);
    const auto verdicts = judge.grade_all(answers);
    for (std::size_t i = 0; i < rows.probes.size(); ++i) {
      const auto& want = golden["rows"][i][kind]["shares"];
      ASSERT_TRUE(verdicts[i].valid) << verdicts[i].reason;
      if (is_unreadable(rows.responses[i])) {  // whatever the model makes of it
        EXPECT_EQ(verdicts[i].score, 1) << i;
        EXPECT_EQ(verdicts[i].probability, 0) << i;
        EXPECT_FALSE(verdicts[i].coherent) << i;
        continue;
      }
      // fp32 here, float64 there: logits differ by 1e-5, shares by no more.
      if (kind == "yes-no") {
        EXPECT_NEAR(verdicts[i].probability, want[0].get<double>(), 2e-5) << i;
        EXPECT_EQ(verdicts[i].score, want[0].get<double>() >= 0.5 ? 5 : 1) << i;
      } else {
        double step = 0;
        for (std::size_t k = 0; k < 5; ++k)
          step += static_cast<double>(k + 1) * want[k].get<double>();
        EXPECT_NEAR(verdicts[i].score, step, 1e-4) << i;
        EXPECT_NEAR(verdicts[i].probability, (step - 1) / 4, 2e-5) << i;
      }
      // Alone, a row says what it says among others.
      EXPECT_NEAR(judge.grade(rows.probes[i], rows.responses[i]).probability,
                  verdicts[i].probability, 2e-6);
    }
  }
  EXPECT_NE(golden["rows"][0]["yes-no"]["shares"], golden["rows"][2]["yes-no"]["shares"]);
}

TEST(Classifier, SharesByHand) {
  // Softmax of 0, ln 2, ln 3, ln 4 is 1, 2, 3 and 4 tenths.
  const Tensor logits =
      at::tensor({0.0, std::log(2.0), std::log(3.0), std::log(4.0)}).to(at::kFloat);
  const auto said = word_shares(logits + 100, {{0, 1}, {3}});
  EXPECT_NEAR(said.mass, 0.7, 1e-6);
  EXPECT_NEAR(said.shares[0], 3.0 / 7, 1e-6);
  EXPECT_NEAR(said.shares[1], 4.0 / 7, 1e-6);
  auto how = ClassifierTemplate::parse(
      "kind: yes-no\nyes: a\nno: b\nthreshold: 0.4\nleast: 0.7001\n---\n{prompt}{response}", "t");
  const Verdict low = classifier_verdict(how, said);
  EXPECT_FALSE(low.valid);
  EXPECT_HAS(low.reason, "probability of 0.7000, want at least 0.7001");
  how.least = 0.69;
  EXPECT_EQ(classifier_verdict(how, said).score, 5);
  how.threshold = 0.5;
  EXPECT_EQ(classifier_verdict(how, said).score, 1);
  EXPECT_EQ(classifier_verdict(how, said).refused, true);
}

TEST(Classifier, StepsAreExpectedAndRounded) {
  auto how = ClassifierTemplate::parse(
      "kind: scale\none: 1\ntwo: 2\nthree: 3\nfour: 4\nfive: 5\n---\n{response}{prompt}", "t");
  const WordShares said{0.9, {0.1, 0, 0, 0.2, 0.7}};  // 0.1 + 0.8 + 3.5
  EXPECT_EQ(classifier_verdict(how, said).score, 4);
  how.round = false;
  EXPECT_NEAR(classifier_verdict(how, said).score, 4.4, 1e-12);
  EXPECT_NEAR(classifier_verdict(how, said).probability, 0.85, 1e-12);
  how.round = true;
  EXPECT_EQ(classifier_verdict(how, {0.9, {0, 0, 0, 0.5, 0.5}}).score, 5);
}

TEST(Classifier, RowsItCannotJudgeAreInvalidAndTheOthersAreJudged) {
  const Tiny tiny;
  Rows rows;
  rows.add("short", "answer");
  rows.add("long", std::string(2000, 'x'));  // 512 positions
  const auto how =
      ClassifierTemplate::parse("kind: yes-no\nyes: y\nno: n\n---\n{prompt}: {response}", "t");
  const auto verdicts = tiny.judge(how).grade_all(rows.answers());
  EXPECT_TRUE(verdicts[0].valid);
  EXPECT_FALSE(verdicts[1].valid);
  EXPECT_HAS(verdicts[1].reason, "its model reads 1 to 512");
  const auto missing =
      ClassifierTemplate::parse("kind: yes-no\nyes: zebra\nno: n\n---\n{prompt}{response}", "t");
  for (const auto& v : tiny.judge(missing).grade_all(rows.answers())) {
    EXPECT_FALSE(v.valid);
    EXPECT_HAS(v.reason, "'zebra' is no token");
  }
}

TEST(ClassifierTemplate, FilledPlacesAreNotLookedAtAgain) {
  const auto how = ClassifierTemplate::parse(
      "# remark\nkind: yes-no   # two\nyes: a b\nno: c\n---\nA {response} B {prompt} C\n", "t");
  EXPECT_EQ(how.words, (std::vector<std::vector<std::string>>{{"a", "b"}, {"c"}}));
  EXPECT_EQ(how.filled("{response}", "{prompt}"), "A {prompt} B {response} C");
}

TEST(ClassifierTemplate, WrongOnesNameTheLine) {
  const auto refuse = [](const std::string& text) {
    return message_of<DataError>([&] { ClassifierTemplate::parse(text, "t.txt"); });
  };
  const std::string words = "kind: yes-no\nyes: y\nno: n\n", body = "---\n{prompt} {response}";
  EXPECT_HAS(refuse(""), "t.txt: want a line ---");
  EXPECT_HAS(refuse(words + "what\n" + body), "t.txt: line 4: want `key: value`");
  EXPECT_HAS(refuse(words + "treshold: 1\n" + body), "line 4: unknown key 'treshold'");
  EXPECT_HAS(refuse(words + "no: m\n" + body), "line 4: no comes twice");
  EXPECT_HAS(refuse(words + "threshold: 2\n" + body), "line 4: threshold: want a number of 0 to 1");
  EXPECT_HAS(refuse(words + "round: yes\n" + body), "line 4: round: want true or false");
  EXPECT_HAS(refuse("kind: yes-no\nyes: y\n" + body), "want a line `no: WORDS`");
  EXPECT_HAS(refuse("kind: yes-no\nyes:\nno: n\n" + body), "line 2: yes: want at least one word");
  EXPECT_HAS(refuse("kind: maybe\n" + body), "want a line `kind: yes-no`");
  EXPECT_HAS(refuse("kind: scale\none: 1\n" + body), "want a line `two: WORDS`");
  EXPECT_HAS(refuse(words + "---\n{prompt}"), "0 of {response}, want one");
  EXPECT_HAS(refuse(words + "---\n{prompt}{prompt}{response}"), "2 of {prompt}, want one");
}

TEST(ClassifierTemplate, ThoseThatShipAreWhole) {
  for (const char* name : {"harmful", "guard", "scale"}) {
    const auto path = data / "judges" / (std::string(name) + ".txt");
    const auto how = ClassifierTemplate::parse(read_file(path), path.string());
    EXPECT_EQ(how.words.size(), name == std::string("scale") ? 5u : 2u);
    EXPECT_EQ(how.chat, "auto");
    EXPECT_GT(how.least, 0);
  }
}

}  // namespace
}  // namespace seawall
