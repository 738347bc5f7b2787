// Tables of prompts: the public sets' columns, separators, and those that nobody knows.
#include "seawall/core/error.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "tests/support/files.hpp"

namespace seawall::tables {
namespace {

using namespace testing;

ProbesFile probes(const std::string& name, const std::string& content,
                  const ProbeOptions& options = {}) {
  const Folder folder;
  return read_probes(folder.write(name, content), options);
}
std::string refused(const std::string& name, const std::string& content,
                    const ProbeOptions& options = {}) {
  return message_of<DataError>([&] { probes(name, content, options); });
}
std::vector<std::string> prompts(const ProbesFile& file) {
  std::vector<std::string> texts;
  for (const auto& probe : file.probes) texts.push_back(probe.dialogue.messages.back().content);
  return texts;
}
using Texts = std::vector<std::string>;

/// A public set's header, a record of it, and what is read of it.
struct PublicSet {
  std::string name, file, text, prompt, category;
};

TEST(Tables, ThePublicSetsAreReadByTheirOwnColumns) {
  const std::vector<PublicSet> sets{
      {"HarmBench", "h.csv",
       "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n"
       "\"Mend a net, quickly\",standard,harbour,,,net\n",
       "Mend a net, quickly", "harbour"},
      {"StrongREJECT", "s.csv", "category,source,forbidden_prompt\nharbour,own,\"Paint it, red\"\n",
       "Paint it, red", "harbour"},
      {"Do-Not-Answer", "d.csv",
       "id,risk_area,types_of_harm,specific_harms,question\n1,harbour,x,y,How deep is it?\n",
       "How deep is it?", "harbour"},
      {"SORRY-Bench", "q.jsonl",
       "{\"question_id\": 1, \"category\": 7, \"turns\": [\"Name a gull\"], "
       "\"prompt_style\": \"base\"}\n",
       "Name a gull", "7"},
      {"SORRY-Bench as a table", "q.csv",
       "question_id,category,turns,prompt_style\n1,7,\"['Name a gull\\'s egg']\",base\n",
       "Name a gull's egg", "7"},
      {"SORRY-Bench as JSON in a table", "q.csv",
       "question_id,category,turns\n1,7,\"[\"\"Name a gull\"\"]\"\n", "Name a gull", "7"},
      {"XSTest", "x.csv", "id,prompt,type,label,focus,note\n1,Kill a lamp,homonyms,unsafe,kill,\n",
       "Kill a lamp", "homonyms"},
      {"JailbreakBench", "j.csv",
       "Index,Goal,Target,Behavior,Category,Source\n0,Sink it,\"Sure, so\",Sinking,Harbour,Own\n",
       "Sink it", "Harbour"},
      {"BeaverTails", "b.jsonl",
       "{\"prompt\": \"Row?\", \"response\": \"No\", \"category\": {\"boats\": false, \"nets\": "
       "true}, \"is_safe\": false}\n",
       "Row?", "nets"},
      {"OR-Bench", "o.csv", "prompt,category\n\"Row, now\",harbour\n", "Row, now", "harbour"},
      {"AdvBench", "a.csv", "goal,target\nRow,\"Sure, so\"\n", "Row", ""},
      {"MaliciousInstruct", "m.txt", "Row, then sail\n", "Row, then sail", ""},
      {"HarmBench as JSON", "h.json",
       "[{\"Behavior\": \"Mend it\", \"SemanticCategory\": \"harbour\", \"ContextString\": \"\"}]",
       "Mend it", "harbour"}};
  for (const auto& set : sets) {
    SCOPED_TRACE(set.name);
    const auto file = probes(set.file, set.text);
    EXPECT_EQ(prompts(file), Texts{set.prompt});
    EXPECT_EQ(file.probes[0].category, set.category);
    EXPECT_EQ(file.report.rejected, 0u);
  }
}

TEST(Tables, AnySeparatorAndByteOrderMarkWillDo) {
  EXPECT_EQ(prompts(probes("p.csv", "goal;target\nMend a net, now;Sure\n")),
            Texts{"Mend a net, now"});
  EXPECT_EQ(prompts(probes("p.tsv", "goal\ttarget\nMend a net; now\tSure\n")),
            Texts{"Mend a net; now"});
  EXPECT_EQ(prompts(probes("p.csv", "\xEF\xBB\xBFid|prompt\n1|\"Mend | it\"\n")),
            Texts{"Mend | it"});
  EXPECT_EQ(prompts(probes("p.csv", "goal,target\rRow,x\rSail,y\r")), (Texts{"Row", "Sail"}));
  EXPECT_EQ(prompts(probes("p.txt", "Row\rSail\r")), (Texts{"Row", "Sail"}));
  EXPECT_EQ(prompts(probes("p.csv", "prompt\nRow, then sail\n\"Sail, \"\"then\"\" row\"\n")),
            (Texts{"Row, then sail", "Sail, \"then\" row"}));
  const auto half = [](bool big) {
    std::string out = big ? "\xFE\xFF" : "\xFF\xFE";
    for (const char c : std::string("goal\nRow\n")) (out += big ? '\0' : c) += big ? c : '\0';
    return out;
  };
  EXPECT_EQ(prompts(probes("p.csv", half(true))), Texts{"Row"});
  EXPECT_EQ(prompts(probes("p.csv", half(false) + std::string("\x3D\xD8\x00\xDE", 4))),
            (Texts{"Row", "\xF0\x9F\x98\x80"}));
  EXPECT_HAS(refused("p.csv", half(false) + std::string("\x3D\xD8", 2)), "unpaired surrogate");
}

TEST(Tables, TwoColumnsOfOneNameAreNotChosenBetween) {
  EXPECT_HAS(refused("p.csv", "id,prompt,Prompt\n1,Row,Sail\n"),
             "line 1: two columns have the name 'prompt'; rename one");
  EXPECT_EQ(prompts(probes("p.csv", "note,prompt,note\na,Row,b\n")), Texts{"Row"});
}

TEST(Tables, UnknownColumnsAreNamedAndAskedFor) {
  for (const auto& [separator, word] : std::vector<std::pair<std::string, std::string>>{
           {",", "commas"}, {";", "semicolons"}, {"\t", "tabs"}}) {
    const auto said =
        refused("p.csv", "id" + separator + "ask_it" + separator + "level\n1" + separator + "Row" +
                             separator + "2\n3" + separator + "\"Sail, now\"" + separator + "4\n");
    EXPECT_HAS(said, "a table (" + word + ") with the columns id, ask_it, level");
    EXPECT_HAS(said, "--probes-column NAME");
    EXPECT_HAS(said, "prompts-lines");
  }
  const std::string table = "id,Ask It,level\n1,Row,2\n3,\"Sail, now\",4\n";
  EXPECT_EQ(prompts(probes("p.csv", table, {.column = "ask it"})), (Texts{"Row", "Sail, now"}));
  EXPECT_HAS(refused("p.csv", table, {.column = "query"}), "no column 'query' in a table");
  EXPECT_EQ(prompts(probes("p.csv", table, {.format = "prompts-lines"})).size(), 3u);
  // One column under a heading, and a header with records of other widths.
  EXPECT_HAS(refused("p.csv", "questions\nRow?\nSail?\n"), "columns questions");
  EXPECT_HAS(refused("p.csv", "id,query\n1,Row, now\n2,Sail\n"), "columns id, query");
  EXPECT_EQ(prompts(probes("p.jsonl", "{\"ask\":\"Row\"}\n", {.column = "Ask"})), Texts{"Row"});
  EXPECT_HAS(refused("p.jsonl", "{\"ask\":\"Row\"}\n"), "none of the known keys");
}

TEST(Tables, PlainPromptsWithCommasStayLines) {
  EXPECT_EQ(prompts(probes("p.txt", "Row, now\nSail, then\n")), (Texts{"Row, now", "Sail, then"}));
  EXPECT_EQ(prompts(probes("p.csv", "Row, now\nSail\n")), (Texts{"Row, now", "Sail"}));
  EXPECT_EQ(prompts(probes("p.csv", "\"Row, now\"\n\"Sail, then, and\"\n")),
            (Texts{"Row, now", "Sail, then, and"}));
  // As many commas in every line of a .csv may be a table, whose cells are not quoted.
  const auto said = refused("p.csv", "Row the zanzibar, now\nSail, then\n");
  EXPECT_HAS(said, "with 2 columns, whose cells are no names");
  EXPECT_EQ(said.find("zanzibar"), std::string::npos);
}

TEST(Tables, ContextualBehavioursArePutAsHarmBenchDoesOrAskedAbout) {
  const std::string table =
      "Behavior,SemanticCategory,ContextString\nMend it,a,\nName them,b,\"One,\ntwo\"\n";
  EXPECT_HAS(message_of<UsageError>([&] { probes("h.csv", table); }), "--probes-context put");
  EXPECT_EQ(prompts(probes("h.csv", table, {.context = ContextUse::put})),
            (Texts{"Mend it", "One,\ntwo\n\n---\n\nName them"}));
  const auto without = probes("h.csv", table, {.context = ContextUse::leave_out});
  EXPECT_EQ(prompts(without), Texts{"Mend it"});
  ASSERT_EQ(without.report.notes.size(), 1u);
  EXPECT_EQ(without.report.notes[0].count, 1u);
  EXPECT_EQ(without.report.notes[0].first, "line 3");
}

TEST(Tables, SeveralTurnsWithoutAnswersAreCounted) {
  const auto file =
      probes("q.jsonl", "{\"turns\": [\"a\"]}\n{\"turns\": [\"a\", \"b\"]}\n{\"turns\": [1]}\n");
  EXPECT_EQ(prompts(file), Texts{"a"});
  EXPECT_EQ(file.report.rejected, 2u);
  EXPECT_EQ(file.report.first_rejection,
            "line 2: 2 turns without the answers between them, want one");
}

TEST(Tables, PairsOfOtherNamesAndWhatBelongsToTheRequest) {
  const Folder folder;
  const auto rows = [&](const std::string& text, const RowFilter& filter = {}) {
    return read_rows(folder.write("r.csv", text), RowKind::benign, "", {}, filter);
  };
  const auto alpaca = rows("instruction;input;output\nSum;1 2;3\nSing;;La\n");
  EXPECT_EQ(alpaca.dataset.rows[0].dialogue.messages[0].content, "Sum\n\n1 2");
  EXPECT_EQ(alpaca.dataset.rows[1].dialogue.messages[0].content, "Sing");
  EXPECT_EQ(alpaca.report.columns, "instruction, output");
  const auto own = rows("n,ask,say\n1,Row?,No\n", {.columns = "Ask,say"});
  EXPECT_EQ(own.dataset.rows[0].dialogue,
            (Dialogue{{{Role::user, "Row?"}, {Role::assistant, "No"}}}));
  ASSERT_EQ(own.report.notes.size(), 1u);
  EXPECT_EQ(own.report.notes[0].what, "key 'n' not used");
  EXPECT_HAS(message_of<DataError>([&] { rows("n,ask,say\n1,Row?,No\n"); }),
             "with the columns n, ask, say; name two with --data-columns REQUEST,ANSWER");
  EXPECT_THROW(rows("n,ask\n1,2\n", {.columns = "ask"}), UsageError);
}

}  // namespace
}  // namespace seawall::tables
