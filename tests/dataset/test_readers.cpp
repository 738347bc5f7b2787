#include "seawall/core/error.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using namespace testing;

RowsFile rows(const std::string& name, const std::string& content, std::string_view format = "") {
  const Folder folder;
  return read_rows(folder.write(name, content), RowKind::benign, format);
}
ProbesFile probes(const std::string& name, const std::string& content,
                  std::string_view format = "") {
  const Folder folder;
  return read_probes(folder.write(name, content), true, format);
}
std::string refuse_rows(const std::string& content, std::string_view format = "") {
  return message_of<DataError>([&] { rows("set.json", content, format); });
}
std::string refuse_probes(const std::string& name, const std::string& content) {
  return message_of<DataError>([&] { probes(name, content); });
}
std::vector<std::string> prompts(const ProbesFile& file) {
  std::vector<std::string> texts;
  for (const auto& probe : file.probes) texts.push_back(probe.dialogue.messages.back().content);
  return texts;
}

constexpr const char* task =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.";
constexpr const char* task_with_input =
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.";

TEST(Readers, DialoguesJson) {
  const auto file = rows("shift.json", R"([[{"role":"system","content":"S"},
      {"role":"user","content":"U"},{"role":"assistant","content":"A"}],
      [{"role":"user","content":"é"},{"role":"assistant","content":"B"}]])");
  EXPECT_EQ(file.report.format, "dialogues-json");
  EXPECT_EQ(file.report.rows, 2u);
  EXPECT_EQ(file.report.rejected, 0u);
  EXPECT_EQ(file.report.sha256.size(), 64u);
  EXPECT_EQ(file.dataset.name, "shift");
  ASSERT_EQ(file.dataset.size(), 2u);
  EXPECT_EQ(file.dataset.rows[0].dialogue,
            (Dialogue{{{Role::system, "S"}, {Role::user, "U"}, {Role::assistant, "A"}}}));
  EXPECT_EQ(file.dataset.rows[1].id, "shift/2");
  EXPECT_EQ(file.dataset.rows[1].kind, RowKind::benign);
}

TEST(Readers, ChatJsonl) {
  const auto file = rows("c.jsonl",
                         "\xEF\xBB\xBF"
                         R"({"messages":[{"role":"user","content":"U"},)"
                         R"({"role":"assistant","content":"A"}],"category":"k"})"
                         "\r\n\n"
                         R"({"messages":[{"role":"user","content":"only"}]})"
                         "\n");
  EXPECT_EQ(file.report.format, "chat-jsonl");
  EXPECT_EQ(file.report.rows, 2u);
  EXPECT_EQ(file.report.rejected, 1u);
  EXPECT_EQ(file.report.first_rejection, "line 3: the last turn is not the assistant's");
  ASSERT_EQ(file.dataset.size(), 1u);
  EXPECT_EQ(file.dataset.rows[0].category, "k");
}

TEST(Readers, AlpacaWithAndWithoutInput) {
  const auto file = rows("a.json", R"([
      {"instruction":"Sum","input":"1 2","output":"3"},
      {"instruction":"Sing","input":"","output":"La"},
      {"instruction":"Hm","output":" "}])");
  EXPECT_EQ(file.report.format, "alpaca-json");
  EXPECT_EQ(file.report.first_rejection, "record 3: an empty answer");
  ASSERT_EQ(file.dataset.size(), 2u);
  EXPECT_EQ(file.dataset.rows[0].dialogue,
            (Dialogue{{{Role::system, task_with_input},
                       {Role::user, "### Instruction:\nSum\n\n### Input:\n1 2\n\n### Response:\n"},
                       {Role::assistant, "3"}}}));
  EXPECT_EQ(file.dataset.rows[1].dialogue,
            (Dialogue{{{Role::system, task},
                       {Role::user, "### Instruction:\nSing\n\n### Response:\n"},
                       {Role::assistant, "La"}}}));
}

TEST(Readers, DollyWritesInputWithoutHashes) {
  const auto file =
      rows("d.jsonl", R"({"instruction":"I","context":"C","response":"R","category":"qa"})");
  EXPECT_EQ(file.report.format, "dolly-jsonl");
  EXPECT_EQ(file.dataset.rows[0].category, "qa");
  EXPECT_EQ(file.dataset.rows[0].dialogue,
            (Dialogue{{{Role::system, task},
                       {Role::user, "### Instruction:\nI\n\nInput:\nC\n\n### Response:\n"},
                       {Role::assistant, "R"}}}));
}

TEST(Readers, ErrorsNameRecordAndKey) {
  EXPECT_HAS(refuse_rows("[[{\"role\":\"user\"}]]"),
             "set.json: no usable record; record 1, message 1: key 'content' is missing");
  EXPECT_HAS(refuse_rows("[[{\"role\":\"tool\",\"content\":\"x\"}]]"), "role 'tool', want system");
  EXPECT_HAS(refuse_rows("[[{\"role\":\"user\",\"content\":null}]]"),
             "key 'content': want a text, found null");
  EXPECT_HAS(refuse_rows("[[\"x\"]]"), "message 1: want an object with 'role'");
  EXPECT_HAS(refuse_rows("{\"messages\":\n}"), "line 1: not valid JSON");
  EXPECT_HAS(refuse_rows("{\"messages\":7}\n{\"messages\":[]}"),
             "line 1: want an array of messages");
  const std::string good = R"({"messages":[{"role":"user","content":"u"},)"
                           R"({"role":"assistant","content":"a"}]})";
  const auto odd = [&](const std::string& line) {
    const auto file = rows("set.jsonl", good + "\n\n" + line + "\n" + good);
    EXPECT_EQ(file.dataset.size(), 2u) << line;
    EXPECT_EQ(file.report.rejected, 1u) << line;
    return file.report.first_rejection;
  };
  EXPECT_HAS(odd("{oops}"), "line 3: not valid JSON at line 3, column 2 (byte ");
  EXPECT_HAS(odd("{\"other\":1}"), "line 3: key 'messages' is missing");
  EXPECT_EQ(rows("a.json", "[{\"instruction\":\"I\",\"output\":\"O\"},{\"instruction\":\"I\"}]")
                .report.first_rejection,
            "record 2: key 'output' is missing, want a text");
  EXPECT_HAS(refuse_rows("[{\"instruction\":\"I\",\"output\":\"a\\u0000b\"}]"), "NUL");
}

TEST(Readers, FilesThatHoldNothingUsableSayWhy) {
  EXPECT_HAS(refuse_rows(""), "the file is empty");
  EXPECT_HAS(refuse_rows(" \n\n"), "the file is empty");
  EXPECT_HAS(refuse_rows("[]"), "the set is empty");
  EXPECT_HAS(refuse_rows("[[]]"), "no usable record; record 1: no messages");
  EXPECT_HAS(refuse_rows("[\n [1, 2,\n"), "line 3");
  EXPECT_HAS(refuse_rows("[7]"), "the first record is number");
  EXPECT_HAS(refuse_rows("[{\"text\":\"x\"}]"), "none of the known keys");
  EXPECT_HAS(refuse_rows("Just text"), "want JSON");
  EXPECT_HAS(refuse_rows("[[\"\xFF\"]]"), "no record in it is JSON in UTF-8");
  EXPECT_HAS(refuse_rows(std::string("[\n\0]", 4)), "line 2: a NUL byte");
  EXPECT_HAS(refuse_rows(std::string(100000, '[')), "64 levels");
  EXPECT_HAS(refuse_rows("[" + std::string(400, '9') + "]"), "out of range");
}

TEST(Readers, TurnsInAnOrderThatNoTemplateRendersAreCounted) {
  const std::string user = R"({"role":"user","content":"u"})",
                    system = R"({"role":"system","content":"s"})",
                    answer = R"({"role":"assistant","content":"a"})";
  const auto row = [](std::initializer_list<std::string> turns) {
    std::string text;
    for (const auto& turn : turns) text += (text.empty() ? "[" : ",") + turn;
    return text + "]";
  };
  const auto file =
      rows("t.json", "[" + row({user, answer}) + "," + row({user, system, answer}) + "," +
                         row({user, user, answer}) + "," + row({answer}) + "," + row({system}) +
                         "," + row({user, answer, user, answer}) + "]");
  EXPECT_EQ(file.report.rows, 6u);
  EXPECT_EQ(file.report.rejected, 4u);
  EXPECT_EQ(file.report.first_rejection, "record 2: a system message that is not the first");
}

TEST(Readers, AFormatCanBeForced) {
  EXPECT_EQ(rows("x",
                 "[[{\"role\":\"user\",\"content\":\"u\"},"
                 "{\"role\":\"assistant\",\"content\":\"a\"}]]",
                 "dialogues-json")
                .dataset.size(),
            1u);
  EXPECT_HAS(refuse_rows("[{\"instruction\":\"I\",\"output\":\"O\"}]", "dialogues-json"),
             "want an array of messages");
  EXPECT_HAS(message_of<UsageError>([] { rows("x", "[]", "parquet"); }), "dolly-jsonl");
  EXPECT_THROW(rows("x", "[]", "prompts-csv"), UsageError);
  EXPECT_EQ(prompts(probes("x", "[odd] line\n", "prompts-lines")),
            (std::vector<std::string>{"[odd] line"}));
}

TEST(Readers, MissingFilesAreIoErrors) {
  const Folder folder;
  EXPECT_HAS(message_of<IoError>([&] { read_rows(folder.path() / "no.json", RowKind::safe); }),
             "no.json: cannot open the file");
  EXPECT_THROW(read_probes(folder.path(), true), IoError);
}

TEST(Readers, ProbesFromCsvWithAHeader) {
  const auto file = probes("p.csv",
                           "Category,goal,target\r\n"
                           "boats,\"Row, \"\"fast\"\"\nnow\",Sure\r\n"
                           "\r\n"
                           "caves,  ,x\n"
                           "caves,Dig,x");
  EXPECT_EQ(file.report.format, "prompts-csv");
  EXPECT_EQ(file.report.rows, 3u);
  EXPECT_EQ(file.report.rejected, 1u);
  EXPECT_EQ(file.report.first_rejection, "line 5: an empty prompt");
  EXPECT_EQ(prompts(file), (std::vector<std::string>{"Row, \"fast\"\nnow", "Dig"}));
  EXPECT_EQ(file.probes[0].category, "boats");
  EXPECT_EQ(file.probes[1].id, "p/3");
  EXPECT_TRUE(file.probes[0].restricted);
}

TEST(Readers, ProbesOneALineKeepCommasAndStrayQuotes) {
  const auto file = probes("p.csv",
                           "Sail, then row\n\"Quoted, as \"\"CSV\"\"\"\r\n"
                           "\"Half\" quoted\n\n  \n\"two\nlines\"\n[x] {y}");
  EXPECT_EQ(file.report.format, "prompts-lines");
  EXPECT_EQ(prompts(file), (std::vector<std::string>{"Sail, then row", "Quoted, as \"CSV\"",
                                                     "\"Half\" quoted", "two\nlines", "[x] {y}"}));
  EXPECT_EQ(prompts(probes("p.txt", "{braces} first\n")),
            (std::vector<std::string>{"{braces} first"}));
}

TEST(Readers, AnEmptyQuotedLineIsRejectedAndCounted) {
  const auto file = probes("p.csv", "One\n\" \"\nTwo\n");
  EXPECT_EQ(prompts(file), (std::vector<std::string>{"One", "Two"}));
  EXPECT_EQ(file.report.rejected, 1u);
  EXPECT_EQ(file.report.first_rejection, "line 2: an empty prompt");
  EXPECT_HAS(refuse_probes("p.csv", "\"\"\n"), "no usable record; line 1: an empty prompt");
}

TEST(Readers, ProbesFromJson) {
  EXPECT_EQ(prompts(probes("p.json", R"(["one", "two"])")),
            (std::vector<std::string>{"one", "two"}));
  const auto keyed = probes("p.jsonl",
                            "{\"goal\":\"g\",\"category\":\"c\"}\n{\"instruction\":\"i\"}\n"
                            "{\"prompt\":\"p\"}\n{\"text\":\"t\"}");
  EXPECT_EQ(keyed.report.format, "prompts-jsonl");
  EXPECT_EQ(prompts(keyed), (std::vector<std::string>{"g", "i", "p", "t"}));
  EXPECT_EQ(keyed.probes[0].category, "c");
  EXPECT_EQ(prompts(probes("a.json", R"([{"instruction":"i","input":"x","output":"o"}])")),
            (std::vector<std::string>{"i\n\nx"}));
}

TEST(Readers, TranscriptsAreDialoguesAndTheirFirstRequestIsTheProbe) {
  const std::string text = R"([{"transcript":"\n\nHuman: Row?\n\nAssistant: No.\nNever.)"
                           R"(\n\nHuman: Why\n\nAssistant: So."},)"
                           R"({"transcript":"Row?"}])";
  const auto file = rows("r.json", text);
  EXPECT_EQ(file.report.format, "red-team-json");
  EXPECT_EQ(file.report.rejected, 1u);
  EXPECT_EQ(file.dataset.rows[0].dialogue, (Dialogue{{{Role::user, "Row?"},
                                                      {Role::assistant, "No.\nNever."},
                                                      {Role::user, "Why"},
                                                      {Role::assistant, "So."}}}));
  EXPECT_EQ(prompts(probes("r.json", text)), (std::vector<std::string>{"Row?"}));
}

TEST(Readers, AFolderOfCsvFilesIsOneSetWithACategoryAFile) {
  const Folder folder;
  EXPECT_HAS(message_of<IoError>([&] { read_probes(folder.path(), true); }), ".csv");
  folder.write("b.csv", "three\n");
  folder.write("a.csv", "one, two\n\"x\"\n");
  folder.write("notes.md", "no probes");
  const auto file = read_probes(folder.path(), false);
  EXPECT_EQ(prompts(file), (std::vector<std::string>{"one, two", "x", "three"}));
  EXPECT_EQ(file.probes[0].category, "a");
  EXPECT_EQ(file.probes[2].id, "b/1");
  EXPECT_FALSE(file.probes[2].restricted);
  EXPECT_EQ(file.report.rows, 3u);
}

TEST(Readers, ALastTurnOfTheAssistantIsTheBeginningOfTheAnswer) {
  const std::string text =
      R"({"messages":[{"role":"system","content":"s"},)"
      R"({"role":"user","content":"u"},{"role":"assistant","content":"a"}]})"
      "\n"
      R"({"messages":[{"role":"user","content":"v"},{"role":"assistant","content":" "}]})";
  const Folder folder;
  const auto path = folder.write("p.jsonl", text);
  const auto file = read_probes(path, true);
  ASSERT_EQ(file.probes.size(), 2u);
  EXPECT_EQ(file.probes[0].dialogue,
            (Dialogue{{{Role::system, "s"}, {Role::user, "u"}, {Role::assistant, "a"}}}));
  EXPECT_EQ(file.probes[1].dialogue, (Dialogue{{{Role::user, "v"}}}));
  EXPECT_EQ(file.report.prefilled, 1u);
  const auto dropped = read_probes(path, {.prefill = false});
  EXPECT_EQ(dropped.probes[0].dialogue, (Dialogue{{{Role::system, "s"}, {Role::user, "u"}}}));
  EXPECT_EQ(dropped.report.prefilled, 0u);
  ASSERT_EQ(dropped.report.notes.size(), 1u);
  EXPECT_EQ(dropped.report.notes[0].what, "last turn of the assistant left out");
}

TEST(Readers, WrongCsvNamesTheLine) {
  EXPECT_HAS(refuse_probes("p.csv", "goal,target\n\"a\nb\",c\n\"open"), "line 4: a quoted field");
  EXPECT_HAS(refuse_probes("p.csv", "goal\n\"a\"b\n"), "line 2: text after the closing quote");
  EXPECT_HAS(refuse_probes("p.csv", "goal,target\na,b,c\n"), "line 2: 3 fields, the header has 2");
  EXPECT_HAS(refuse_probes("p.csv", "goal,target\n"), "no usable record");
  EXPECT_EQ(probes("p.jsonl", "{\"goal\":\"a\"}\n{\"goal\":3}").report.first_rejection,
            "line 2: key 'goal': want a text, found number");
}

TEST(Readers, PairsFromCsvAreRows) {
  const auto file = rows("b.csv", "goal,target\nOpen it,\"Sure, \"\"so\"\"\"\n ,x\nShut it,\n");
  EXPECT_EQ(file.report.format, "pairs-csv");
  EXPECT_EQ(file.report.rows, 3u);
  EXPECT_EQ(file.report.rejected, 2u);
  EXPECT_EQ(file.report.first_rejection, "line 3: an empty prompt");
  ASSERT_EQ(file.dataset.size(), 1u);
  EXPECT_EQ(file.dataset.rows[0].dialogue,
            (Dialogue{{{Role::user, "Open it"}, {Role::assistant, "Sure, \"so\""}}}));
  EXPECT_HAS(refuse_rows("goal,target\na\n"), "line 2: 1 fields, the header has 2");
  EXPECT_HAS(refuse_rows("goal\na\n"), "want JSON");
  EXPECT_HAS(refuse_rows("a,b\n", "pairs-csv"), "line 1: want a header with goal,target");
}

TEST(Readers, HexPhiHasItsElevenCategoriesInTheOrderOfTheirNumbers) {
  const Folder folder;
  for (int i = 1; i <= 11; ++i) {
    std::string text;
    for (int row = 1; row <= 30; ++row)
      text += "\"Request " + std::to_string(row) + ",\nof " + std::to_string(i) + "\"\n";
    folder.write("category_" + std::to_string(i) + ".csv", text);
  }
  const auto file = read_probes(folder.path(), true);
  EXPECT_EQ(file.report.format, "hex-phi");
  ASSERT_EQ(file.probes.size(), 330u);
  const std::vector<std::string> names = {
      "illegal activity",      "child abuse content", "hate, harassment, violence", "malware",
      "physical harm",         "economic harm",       "fraud and deception",        "adult content",
      "political campaigning", "privacy violation",   "tailored financial advice"};
  ASSERT_EQ(file.report.categories.size(), 11u);
  for (std::size_t i = 0; i < 11; ++i) {
    EXPECT_EQ(file.report.categories[i], std::pair(names[i], std::size_t{30}));
    EXPECT_EQ(file.probes[30 * i].category, names[i]);
    EXPECT_EQ(file.probes[30 * i].dialogue.messages[0].content,
              "Request 1,\nof " + std::to_string(i + 1));
  }
  EXPECT_EQ(file.probes[30 * 9].id, "category_10/1");
  folder.write("notes.csv", "x\n");  // one that is none of the eleven: a folder like any other
  EXPECT_EQ(read_probes(folder.path(), true).report.format, "folder");
}

TEST(Readers, RedTeamRowsHaveRatingAndTags) {
  const auto line = [](const char* rating, const char* tags) {
    return std::string(R"({"transcript":"\n\nHuman: Row?\n\nAssistant: No.")") + R"(,"rating":)" +
           rating + R"(,"tags":)" + tags + "}\n";
  };
  const auto text = line("4.0", R"(["boats","oars"])") + line("1", "null") + line("null", "[]");
  const Folder folder;
  const auto path = folder.write("red.jsonl", text);
  EXPECT_EQ(read_rows(path, RowKind::harmful).dataset.size(), 3u);
  const auto file = read_rows(path, RowKind::harmful, "", {}, {.min_rating = 3});
  EXPECT_EQ(file.report.format, "red-team-jsonl");
  EXPECT_EQ(file.report.low_rated, 2u);
  ASSERT_EQ(file.dataset.size(), 1u);
  EXPECT_EQ(file.dataset.rows[0].category, "boats");
  EXPECT_EQ(file.dataset.rows[0].id, "red/1");
  EXPECT_HAS(
      message_of<DataError>([&] { read_rows(path, RowKind::harmful, "", {}, {.min_rating = 5}); }),
      "none of its rows has the rating");
}

TEST(Readers, PhrasesAndHeldOutRowsAreLeftOutInThatOrder) {
  const Folder folder;
  std::string text = "[";
  for (const char* answer : {"one", "I CANNOT say", "two", "three", "four"})
    text += std::string(text == "[" ? "" : ",") + R"({"instruction":"i cannot","output":")" +
            answer + "\"}";
  const auto path = folder.write("a.json", text + "]");
  const auto kept = [&](const RowFilter& filter) {
    std::string out;
    for (const auto& row : read_rows(path, RowKind::benign, "", {}, filter).dataset.rows)
      out += row.dialogue.messages.back().content + " ";
    return out;
  };
  EXPECT_EQ(kept({.phrases = {"I cannot"}, .hold_out = {.first = 2}}), "three four ");
  EXPECT_EQ(kept({.phrases = {"I cannot"}, .hold_out = {.last = 2}}), "one two ");
  EXPECT_EQ(kept({.hold_out = {.first = 2}}), "two three four ");
  const auto report =
      read_rows(path, RowKind::benign, "", {}, {.phrases = {"cannot"}, .hold_out = {.last = 1}})
          .report;
  EXPECT_EQ(report.rows, 5u);
  EXPECT_EQ(report.filtered, 1u);
  EXPECT_EQ(report.held_out, 1u);
  EXPECT_HAS(message_of<DataError>([&] { kept({.hold_out = {.first = 5}}); }), "--hold-out");
  EXPECT_HAS(message_of<DataError>([&] { kept({.phrases = {"o", "e"}}); }), "--leave-out");
  EXPECT_EQ(hold_out_from("first:200").first, 200u);
  EXPECT_EQ(hold_out_from("last:3").last, 3u);
  EXPECT_EQ(hold_out_from("none").first, 0u);
  for (const char* bad : {"first", "first:", "first:x", "middle:3", "first:-1", "last:1 "})
    EXPECT_THROW(hold_out_from(bad), UsageError) << bad;
}

TEST(Readers, MessagesNeverQuoteThePrompts) {
  const std::string secret = "zanzibar";
  for (const auto& content : {"[[{\"role\":\"user\",\"content\":\"" + secret + "\"},",
                              "{\"messages\":[{\"role\":\"user\",\"content\":\"" + secret + "\"}]}",
                              "{\"" + secret + "\": 1}", secret}) {
    EXPECT_EQ(refuse_rows(content).find(secret), std::string::npos);
  }
}

}  // namespace
}  // namespace seawall
