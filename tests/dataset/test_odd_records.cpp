// Records that cannot be used, JSON that is nearly JSON, weights, and keys that mean something.
#include "seawall/core/error.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "tests/support/files.hpp"

namespace seawall::odd_records {
namespace {

using namespace testing;

RowsFile rows(const std::string& name, const std::string& content, const RowFilter& filter = {}) {
  const Folder folder;
  return read_rows(folder.write(name, content), RowKind::benign, "", {}, filter);
}
std::string refused(const std::string& name, const std::string& content) {
  return message_of<DataError>([&] { rows(name, content); });
}
std::string message(const std::string& role, const std::string& content,
                    const std::string& more = "") {
  return "{\"role\":\"" + role + "\",\"content\":" + content + more + "}";
}
std::string chat(const std::string& messages, const std::string& more = "") {
  return "{\"messages\":[" + messages + "]" + more + "}";
}
const std::string user = message("user", "\"u\""), answer = message("assistant", "\"a\"");
const std::string good = chat(user + "," + answer);

/// Why the second of three rows is left out.
std::string why(const std::string& row) {
  const auto file = rows("r.jsonl", good + "\n" + row + "\n" + good + "\n");
  EXPECT_EQ(file.dataset.size(), 2u) << row;
  EXPECT_EQ(file.report.rejected, 1u) << row;
  EXPECT_TRUE(file.report.first_rejection.starts_with("line 2")) << file.report.first_rejection;
  return file.report.first_rejection;
}
std::string losses(const Dialogue& dialogue) {
  std::string out;
  for (std::size_t i = 0; i < dialogue.messages.size(); ++i)
    out += dialogue.carries_loss(i) ? '1' : '0';
  return out;
}
std::string note_of(const std::string& row) {
  const auto file = rows("r.jsonl", good + "\n" + row + "\n" + row + "\n");
  EXPECT_EQ(file.dataset.size(), 3u) << row;
  if (file.report.notes.size() != 1) return "no single note";
  const auto& note = file.report.notes[0];
  return note.what + "/" + std::to_string(note.count) + "/" + note.first;
}

TEST(OddRecords, OneIsCountedAndMoreThanTheShareIsAnError) {
  EXPECT_HAS(why("{\"messages\":[{\"role\":\"user\"}]}"), "message 1: key 'content' is missing");
  EXPECT_HAS(why(chat(user + "," + message("assistant", "null"))), "want a text, found null");
  EXPECT_HAS(why(chat(user)), "the last turn is not the assistant's");
  EXPECT_HAS(why("{\"messages\":[{\"role\":\"user\","), "it ends too early");
  std::string text;
  for (int i = 0; i < 98; ++i) text += good + "\n";
  EXPECT_EQ(rows("r.jsonl", text + "{}\n", {.max_rejected = 0}).dataset.size(), 98u)
      << "one record may always be odd";
  const auto two = text + "{}\n{}\n";
  EXPECT_EQ(rows("r.jsonl", two, {.max_rejected = 0.02}).report.rejected, 2u);
  EXPECT_HAS(message_of<DataError>([&] { rows("r.jsonl", two, {.max_rejected = 0.01}); }),
             "2 of 100 records cannot be used, --max-rejected 0.01 allows 1 (first: line 99: key "
             "'messages' is missing");
}

TEST(OddRecords, JsonThatIsNearlyJsonSaysByteAndRule) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{\"messages\": Infinity}", "column 14 (byte 13): Infinity is no value of JSON"},
      {"{\"messages\": [1, 2,]}", "column 20 (byte 19): a comma before the closing bracket"},
      {"{'messages': []}", "column 2 (byte 1): single quotes"},
      {"{\"messages\": [] // none\n}", "column 17 (byte 16): a comment"},
      {"{\"messages\": True}", "True is no value of JSON; write true"},
      {"{\"messages\": None}", "None is no value of JSON; write null"},
      {"{\"messages\": \"\\ud83d half\"}", "an unpaired surrogate"},
      {"{\"messages\": \"\\q\"}", "a backslash that begins no escape"},
      {"{\"messages\": \"a\tb\"}", "a control character in a text"},
      {"{\"messages\" []}", "want a colon after the key"},
      {"{\"messages\": [] \"more\": 1}", "a comma is missing"},
      {"{messages: []}", "want a key in double quotes"},
      {"{\"messages\": [", "it ends too early"},
      {"{\"messages\": [", "is the file cut?"}};
  for (const auto& [text, rule] : wrong) EXPECT_HAS(refused("r.jsonl", text), rule);
  EXPECT_HAS(refused("r.jsonl", good + ",\n" + good + ",\n"), "a comma after the end of the value");
  EXPECT_HAS(refused("r.json", "[" + good + ",\n" + good + ",\n]"),
             "line 3, column 1 (byte " + std::to_string(2 * good.size() + 5) +
                 "): a comma before the closing bracket");
  EXPECT_HAS(refused("r.json", "[" + good + "\n" + good + "]"), "a comma is missing before it");
}

TEST(OddRecords, ANanOfPandasIsAMissingValue) {
  const auto file = rows("a.json",
                         "[{\"instruction\":\"NaN, so\",\"input\":NaN,\"output\":\"Done\"},\n"
                         "{\"instruction\":\"Go\",\"input\":\"\",\"output\":NaN}]");
  ASSERT_EQ(file.dataset.size(), 1u);
  EXPECT_EQ(file.dataset.rows[0].dialogue.messages[1].content,
            "### Instruction:\nNaN, so\n\n### Response:\n");
  EXPECT_EQ(file.report.first_rejection, "record 2: key 'output': want a text, found null");
  ASSERT_EQ(file.report.notes.size(), 1u);
  EXPECT_EQ(file.report.notes[0].what, "NaN read as null");
  EXPECT_EQ(file.report.notes[0].count, 2u);
}

TEST(OddRecords, ASurrogateCostsItsRowAlone) {
  EXPECT_HAS(why(chat(user + "," + message("assistant", "\"\\ud83d half\""))), "surrogate");
  const auto pair = rows("r.jsonl", chat(user + "," + message("assistant", "\"\\ud83d\\ude00\"")));
  EXPECT_EQ(pair.dataset.rows[0].dialogue.messages[1].content, "\xF0\x9F\x98\x80");
}

TEST(OddRecords, JsonInOtherLayoutsIsRead) {
  const std::string pretty = "{\n \"messages\": [\n  " + user + ",\n  " + answer + "\n ]\n}\n";
  const std::string flat = "{\n\"messages\":\n[\n" + user + ",\n" + answer + "\n]\n}\n";
  const std::string dialogue = "[" + user + "," + answer + "]";
  for (const auto& [text, format, count] :
       std::vector<std::tuple<std::string, std::string, std::size_t>>{
           {pretty, "chat-jsonl", 1},
           {pretty + pretty, "chat-jsonl", 2},
           {flat + flat, "chat-jsonl", 2},
           {good + good + " " + good, "chat-jsonl", 3},
           {dialogue, "dialogues-jsonl", 1},
           {dialogue + "\n" + dialogue + "\n", "dialogues-jsonl", 2},
           {"[" + dialogue + "," + dialogue + "]", "dialogues-json", 2},
           {"{\"data\": [" + good + ",\n" + good + "]}", "chat-json", 2},
           {"{\"version\": \"1\", \"train\": [" + dialogue + "], \"n\": 3}", "dialogues-json", 1},
           {"{\"features\": [], \"rows\": [{\"row_idx\": 0, \"row\": " + good + "}]}", "chat-json",
            1}}) {
    const auto file = rows("r.json", text);
    EXPECT_EQ(file.report.format, format) << text;
    EXPECT_EQ(file.dataset.size(), count) << text;
    EXPECT_EQ(file.report.rejected, 0u) << text;
  }
  // A record that is cut does not take the next ones with it.
  const auto cut = rows("r.jsonl", good + "\n{\"messages\": [{\"role\n" + good + "\n" + pretty);
  EXPECT_EQ(cut.dataset.size(), 3u);
  EXPECT_EQ(cut.report.rejected, 1u);
  EXPECT_HAS(refused("r.json", "{\"a\": [" + good + "], \"b\": [" + good + "]}"), "known keys");
}

TEST(OddRecords, AWeightDecidesWhatCarriesLoss) {
  const auto weighted = [](const std::string& weight) {
    return message("assistant", "\"a\"", ",\"weight\":" + weight);
  };
  const auto loss = [&](const std::string& messages, LossOn on) {
    return losses(rows("r.jsonl", chat(messages), {.loss_on = on}).dataset.rows[0].dialogue);
  };
  const auto turns = user + "," + answer + "," + user + "," + answer;
  EXPECT_EQ(loss(turns, LossOn::last), "0001");
  EXPECT_EQ(loss(turns, LossOn::all), "0101");
  EXPECT_EQ(loss(user + "," + weighted("1") + "," + user + "," + answer, LossOn::last), "0101");
  EXPECT_EQ(loss(user + "," + weighted("0") + "," + user + "," + answer, LossOn::all), "0001");
  EXPECT_EQ(loss(user + "," + weighted("1.0") + "," + user + "," + weighted("0"), LossOn::last),
            "0100");
  EXPECT_EQ(loss(user + "," + weighted("null"), LossOn::last), "01");
  const auto file = rows("r.jsonl", good + "\n" + chat(user + "," + weighted("0")) + "\n");
  EXPECT_EQ(file.dataset.size(), 1u);
  EXPECT_EQ(file.report.no_loss, 1u);
  EXPECT_EQ(file.report.rejected, 0u);
  EXPECT_EQ(file.report.notes.at(0).first, "line 2");
  EXPECT_HAS(refused("r.jsonl", chat(user + "," + weighted("0"))), "no row carries loss");
  for (const char* bad : {"0.5", "2", "-1", "\"1\"", "true"})
    EXPECT_HAS(why(chat(user + "," + weighted(bad))), "key 'weight': want 0 (no loss");
  // Hashes of rows tell where the loss is, and stay what they were where it is on the last answer.
  const auto hash = [&](const std::string& messages, LossOn on) {
    return rows("r.jsonl", chat(messages), {.loss_on = on}).dataset.content_hash();
  };
  EXPECT_NE(hash(turns, LossOn::all), hash(turns, LossOn::last));
  EXPECT_EQ(hash(user + "," + weighted("1"), LossOn::last), hash(user + "," + answer, LossOn::all));
}

TEST(OddRecords, ContentsMayBeListsOfTextParts) {
  const auto parts = R"([{"type":"text","text":"One, "},{"type":"text","text":"two"}])";
  EXPECT_EQ(rows("r.jsonl", chat(message("user", parts) + "," + answer))
                .dataset.rows[0]
                .dialogue.messages[0]
                .content,
            "One, two");
  EXPECT_HAS(why(chat(message("user", R"([{"type":"image_url","image_url":{"url":"x"}}])") + "," +
                      answer)),
             "message 1: content part 1 is of type 'image_url', want text");
  EXPECT_HAS(why(chat(message("user", R"([{"text":"x"}])") + "," + answer)), "key 'type'");
}

TEST(OddRecords, KeysThatChangeTheMeaningAreRefusedAndOthersNamed) {
  const auto with = [](const std::string& more) {
    return chat(user + "," + message("assistant", "\"a\"", more));
  };
  EXPECT_HAS(why(with(R"(,"tool_calls":[{"id":"x"}])")), "message 2: key 'tool_calls'");
  EXPECT_HAS(why(with(R"(,"function_call":{"name":"x"})")), "key 'function_call'");
  EXPECT_HAS(why(chat(user + "," + message("tool", "\"t\"") + "," + answer)), "role 'tool'");
  EXPECT_HAS(why(chat(user + "," + answer, R"(,"tools":[{"type":"function"}])")), "key 'tools'");
  EXPECT_HAS(why(chat(user + "," + answer, R"(,"rejected":"b")")), "preference data");
  EXPECT_EQ(note_of(with(R"(,"name":"Ann")")),
            "key 'name' of a message not used/2/line 2, message 2");
  EXPECT_EQ(note_of(chat(user + "," + answer, R"(,"parallel_tool_calls":false)")),
            "key 'parallel_tool_calls' not used/2/line 2");
  EXPECT_EQ(note_of(chat(user + "," + answer, R"(,"A long key, zanzibar":1)")),
            "another key not used/2/line 2");
  const auto empty = rows("r.jsonl", with(R"(,"tool_calls":null,"name":"","refusal":null)"));
  EXPECT_TRUE(empty.report.notes.empty());
  const auto developer =
      rows("r.jsonl", chat(message("developer", "\"d\"") + "," + user + "," + answer));
  EXPECT_EQ(developer.dataset.rows[0].dialogue.messages[0], (Message{Role::system, "d"}));
  EXPECT_HAS(refused("p.jsonl", R"({"prompt":"p","chosen":"a","rejected":"b"})"),
             "but has chosen, rejected");
}

}  // namespace
}  // namespace seawall::odd_records
