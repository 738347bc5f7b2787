// Rows that are a request and an answer under their keys, in JSON as in tables.
#include "seawall/core/error.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "tests/support/files.hpp"

namespace seawall::pairs {
namespace {

using namespace testing;

RowsFile rows(const std::string& name, const std::string& content, const RowFilter& filter = {}) {
  const Folder folder;
  return read_rows(folder.write(name, content), RowKind::benign, "", {}, filter);
}
std::string refused(const std::string& name, const std::string& content,
                    const RowFilter& filter = {}) {
  return message_of<DataError>([&] { rows(name, content, filter); });
}
Dialogue pair(const std::string& request, const std::string& answer) {
  return {{{Role::user, request}, {Role::assistant, answer}}};
}

TEST(Pairs, JsonAndTablesKnowTheSameKeys) {
  for (const auto& [request, answer] :
       std::vector<std::pair<std::string, std::string>>{{"goal", "target"},
                                                        {"prompt", "response"},
                                                        {"prompt", "completion"},
                                                        {"Question", "Answer"},
                                                        {"question", "response"},
                                                        {"query", "response"},
                                                        {"query", "answer"},
                                                        {"input", "output"}}) {
    SCOPED_TRACE(request + "," + answer);
    const auto object = "{\"" + request + "\": \"Row?\", \"" + answer + "\": \"So\"}";
    for (const auto& [name, text, format] :
         std::vector<std::tuple<std::string, std::string, std::string>>{
             {"r.jsonl", object + "\n" + object + "\n", "pairs-jsonl"},
             {"r.json", "[" + object + ", " + object + "]", "pairs-json"},
             {"r.csv", request + "," + answer + "\nRow?,So\nRow?,So\n", "pairs-csv"}}) {
      const auto file = rows(name, text);
      EXPECT_EQ(file.report.format, format);
      ASSERT_EQ(file.dataset.size(), 2u);
      EXPECT_EQ(file.dataset.rows[0].dialogue, pair("Row?", "So"));
      EXPECT_TRUE(file.report.notes.empty()) << "every key is used";
    }
  }
  EXPECT_HAS(refused("r.jsonl", "{\"ask\": \"Row?\", \"say\": \"So\"}"),
             "goal,target, prompt,response, prompt,completion");
}

TEST(Pairs, AlpacaAndDollyKeepTheirOwnWords) {
  EXPECT_EQ(
      rows("r.json", R"([{"instruction": "Row", "input": "", "output": "So"}])").report.format,
      "alpaca-json");
  EXPECT_EQ(rows("r.jsonl", R"({"instruction": "Row", "response": "So"})").report.format,
            "dolly-jsonl");
}

TEST(Pairs, AnInputOrContextGoesAfterTheRequest) {
  const auto file = rows("r.jsonl",
                         R"({"prompt": "Sum up", "completion": "So", "context": "A net."}
{"prompt": "Row?", "completion": "No", "context": null, "category": "boats", "source": 3}
)");
  ASSERT_EQ(file.dataset.size(), 2u);
  EXPECT_EQ(file.dataset.rows[0].dialogue, pair("Sum up\n\nA net.", "So"));
  EXPECT_EQ(file.dataset.rows[1].dialogue, pair("Row?", "No"));
  EXPECT_EQ(file.dataset.rows[1].category, "boats");
  ASSERT_EQ(file.report.notes.size(), 1u);
  EXPECT_EQ(file.report.notes[0].what, "key 'source' not used");
}

TEST(Pairs, BothMayBeListsOfMessagesAndTheRequestCarriesNoLoss) {
  const std::string row = R"({"prompt": [{"role": "system", "content": "s"},
    {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"},
    {"role": "user", "content": "v"}], "completion": [{"role": "assistant", "content": "b"}]})";
  for (const auto on : {LossOn::last, LossOn::all}) {
    const auto dialogue = rows("r.jsonl", row, {.loss_on = on}).dataset.rows.at(0).dialogue;
    ASSERT_EQ(dialogue.messages.size(), 5u);
    EXPECT_EQ(dialogue.messages[0], (Message{Role::system, "s"}));
    EXPECT_EQ(dialogue.messages[4].content, "b");
    EXPECT_FALSE(dialogue.carries_loss(2));
    EXPECT_TRUE(dialogue.carries_loss(4));
  }
}

TEST(Pairs, OddOnesAreCountedWithTheirReason) {
  const std::string good = R"({"prompt": "Row?", "completion": "So"})";
  for (const auto& [row, why] : std::vector<std::pair<std::string, std::string>>{
           {R"({"prompt": "Row?", "completion": null})",
            "key 'completion': want a text, found null"},
           {R"({"prompt": "Row?"})", "want the keys goal,target"},
           {R"({"prompt": " ", "completion": "So"})", "an empty prompt"},
           {R"({"prompt": "Row?", "completion": ""})", "an empty answer"},
           {R"({"prompt": [{"role": "user", "content": "u"}], "completion": "So"})",
            "key 'prompt': want a text, found array"},
           {R"({"prompt": [{"role": "user", "content": "u"}], "completion": []})",
            "the last turn is not the assistant's"},
           {R"({"prompt": "Row?", "completion": "So", "rejected": "No"})", "preference data"},
           {"[]", "want the keys"}}) {
    const auto file = rows("r.jsonl", good + "\n" + row + "\n" + good + "\n");
    EXPECT_EQ(file.dataset.size(), 2u) << row;
    EXPECT_EQ(file.report.rejected, 1u) << row;
    EXPECT_HAS(file.report.first_rejection, "line 2: ");
    EXPECT_HAS(file.report.first_rejection, why);
  }
}

TEST(Pairs, ChosenKeysCountInJsonToo) {
  const std::string text = R"({"Ask": "Row?", "say": "So", "prompt": "x", "completion": "y"})";
  EXPECT_EQ(rows("r.jsonl", text, {.columns = "ask,say"}).dataset.rows.at(0).dialogue,
            pair("Row?", "So"));
  EXPECT_HAS(refused("r.jsonl", text, {.columns = "ask,tell"}),
             "no keys 'ask,tell', which --data-columns names");
}

TEST(Pairs, ASystemTextIsTheSystemTurn) {
  for (const auto* row : {R"({"system_prompt": "s", "question": "u", "response": "a"})",
                          R"({"system": "s", "prompt": "u", "completion": "a"})",
                          R"({"system": "s", "conversations": [{"from": "human", "value": "u"},
            {"from": "model", "value": "a"}]})",
                          R"({"system": "t", "conversations": [{"from": "system", "value": "s"},
            {"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]})"}) {
    const auto file = rows("r.jsonl", row);
    EXPECT_TRUE(file.report.notes.empty()) << row;
    EXPECT_EQ(file.dataset.rows.at(0).dialogue,
              (Dialogue{{{Role::system, "s"}, {Role::user, "u"}, {Role::assistant, "a"}}}))
        << row;
  }
  EXPECT_EQ(rows("r.jsonl", R"({"system": "", "prompt": "u", "completion": "a"})")
                .dataset.rows.at(0)
                .dialogue,
            pair("u", "a"));
}

TEST(Pairs, AMarkdownTableIsNotReadAsRows) {
  EXPECT_HAS(refused("r.md", "| prompt | response |\n|---|:--|\n| u | a |\n"),
             "line 2: a table as Markdown writes it; want CSV or JSON");
  EXPECT_EQ(rows("r.csv", "prompt|response\n-|-\nu|a\n").dataset.size(), 2u);
}

TEST(Pairs, APromptOfMessagesIsAProbe) {
  const Folder folder;
  const auto file =
      read_probes(folder.write("p.jsonl", R"({"prompt": [{"role": "system", "content": "s"},
                                  {"role": "user", "content": "u"}], "category": "c"})"),
                  {});
  ASSERT_EQ(file.probes.size(), 1u);
  EXPECT_EQ(file.probes[0].dialogue, (Dialogue{{{Role::system, "s"}, {Role::user, "u"}}}));
  EXPECT_EQ(file.probes[0].category, "c");
}

TEST(Pairs, ConversationsOfEitherKindAreRead) {
  const auto want = pair("u", "a");
  for (const auto* turns : {R"({"from": "human", "value": "u"}, {"from": "gpt", "value": "a"})",
                            R"({"role": "user", "content": "u"},
                               {"role": "assistant", "content": "a"})"})
    EXPECT_EQ(rows("r.jsonl", "{\"conversations\": [" + std::string(turns) + "]}")
                  .dataset.rows.at(0)
                  .dialogue,
              want);
}

}  // namespace
}  // namespace seawall::pairs
