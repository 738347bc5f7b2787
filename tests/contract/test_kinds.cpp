// What holds for every entry of each of the six catalogues, by going through the catalogues
// themselves: a new entry is under these tests by being one.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "attacks/catalogue.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/program.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/scenario/organism.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::Folder;
using testing::message_of;

Program program() { return {.attacks = attack_catalogue(), .mitigations = mitigation_catalogue()}; }

/// Calls `f` with each of the six catalogues.
void each_kind(const auto& f) {
  const Program all = program();
  f(all.attacks), f(all.mitigations), f(all.judges), f(all.readers), f(all.scenarios);
  f(all.families);
}

TEST(Kinds, EveryEntryHasANameThatCanBeTypedAndOneLine) {
  std::set<std::string_view> kinds;
  each_kind([&](const auto& catalogue) {
    EXPECT_TRUE(kinds.insert(catalogue.kind()).second) << catalogue.kind();
    EXPECT_FALSE(catalogue.entries().empty()) << catalogue.kind();
    std::set<std::string_view> names;
    for (const auto& entry : catalogue.entries()) {
      const auto name = entry_name(entry), summary = entry_summary(entry);
      EXPECT_TRUE(names.insert(name).second) << name << " twice";
      EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_"), name.npos);
      EXPECT_FALSE(summary.empty()) << name;
      EXPECT_EQ(summary.find('\n'), summary.npos) << name;
      EXPECT_EQ(catalogue.look_up(name), &entry);
    }
  });
  EXPECT_EQ(kinds.size(), 6u);
}

/// `--NAME.option` belongs to one of them.
TEST(Kinds, NoTwoEntriesWithOptionsShareAName) {
  std::set<std::string_view> names;
  const auto check = [&](const auto& catalogue) {
    for (const auto& entry : catalogue.entries())
      if (!entry.options({}).empty()) {
        EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
      }
  };
  const Program all = program();
  check(all.attacks), check(all.mitigations), check(all.judges), check(all.scenarios);
  EXPECT_GE(names.size(), 6u);
}

TEST(Kinds, AnUnknownNameNamesTheNearestAndAll) {
  each_kind([](const auto& catalogue) {
    const std::string first(catalogue.names().front());
    const auto said = message_of<UsageError>([&] { catalogue.find(first + "x"); });
    EXPECT_HAS(said, "unknown " + std::string(catalogue.kind()) + " `" + first + "x`");
    EXPECT_HAS(said, "did you mean `" + first + "`?");
    for (const auto name : catalogue.names()) EXPECT_HAS(said, name);
  });
}

TEST(Kinds, DescribeSaysWhatEachEntryIs) {
  const Program all = program();
  each_kind([&](const auto& catalogue) {
    for (const auto& entry : catalogue.entries()) {
      ::testing::internal::CaptureStdout();
      EXPECT_EQ(commands::describe(all, {std::string(entry_name(entry))}), 0);
      const auto said = ::testing::internal::GetCapturedStdout();
      EXPECT_HAS(said, std::string(entry_name(entry)) + " (" + std::string(catalogue.kind()) +
                           "): " + std::string(entry_summary(entry)) + "\n");
    }
  });
}

TEST(Kinds, ListNamesEachEntry) {
  const Program all = program();
  const auto listed = [&](const char* kind) {
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(commands::list(all, {kind}), 0);
    return ::testing::internal::GetCapturedStdout();
  };
  const auto check = [&](const char* kind, const auto& catalogue) {
    const auto said = listed(kind);
    for (const auto name : catalogue.names()) EXPECT_HAS(said, "  " + std::string(name));
  };
  check("attacks", all.attacks);
  check("mitigations", all.mitigations);
  check("judges", all.judges);
  check("readers", all.readers);
  check("scenarios", all.scenarios);
  check("families", all.families);
}

template <class Entries>
void check_options(const Entries& entries) {
  for (const auto& entry : entries) {
    SCOPED_TRACE(std::string(entry.name));
    const auto defaults = entry.options({});
    OptionTexts texts;
    for (const auto& option : defaults) texts.emplace_back(option.name, option.value);
    const auto again = entry.options(texts);
    ASSERT_EQ(again.size(), defaults.size());
    for (std::size_t i = 0; i < again.size(); ++i) {
      EXPECT_EQ(again[i].name, defaults[i].name);
      EXPECT_EQ(again[i].value, defaults[i].value);
      EXPECT_FALSE(again[i].help.empty()) << again[i].name;
    }
    EXPECT_THROW(entry.options({{"no-such-option", "1"}}), UsageError);
  }
}

TEST(Kinds, OptionsReadBackWhatTheyShowAndAnUnknownOneIsAnError) {
  const Program all = program();
  check_options(all.attacks.entries());
  check_options(all.mitigations.entries());
  check_options(all.judges.entries());
  check_options(all.scenarios.entries());
}

// ---- judges

TEST(Judges, EveryWordLeadsBackToItsJudge) {
  const auto& judges = judge_catalogue();
  for (const auto& judge : judges.entries()) {
    const std::string name(judge.name);
    const auto words = words_of(judge);
    ASSERT_FALSE(words.empty()) << name;
    for (const auto& [word, summary] : words) {
      EXPECT_EQ(&judges.find_word(word), &judge) << word;
      EXPECT_EQ(judge_name(word), judge.name);
      EXPECT_FALSE(summary.empty()) << word;
    }
    EXPECT_THROW(judges.find_word(name + (judge.argument.empty() ? ":x" : "")), UsageError);
  }
}

/// Those that need neither a file, a model nor an endpoint; the others say so with an error of
/// ours.
TEST(Judges, EveryWordMakesAJudgeOfThatNameOrSaysWhatIsMissing) {
  const OrganismScenario scenario;
  RunSpec run;
  run.endpoint.base_url = "http://127.0.0.1:9/v1";  // nobody listens there
  run.rubric.tries = 1;
  const auto& probes = scenario.probes(ProbeSet::harmfulness);
  const std::vector<Answer> answers{{&probes[0], "", ""},
                                    {&probes[0], "", "I cannot."},
                                    {&probes[1], "", "Turn the key to the left."}};
  std::size_t made = 0, said = 0;
  for (const auto& [word, summary] : judge_catalogue().words()) {
    SCOPED_TRACE(word);
    std::unique_ptr<Judge> judge;
    try {
      judge = judge_catalogue().make(word, {}, {.scenario = scenario, .run = &run});
    } catch (const Error& error) {
      EXPECT_HAS(std::string(error.what()), ":");
      ++said;
      continue;
    }
    ++made;
    EXPECT_EQ(judge->name(), word);
    const auto verdicts = judge->grade_all(answers);
    ASSERT_EQ(verdicts.size(), answers.size());
    for (const auto& v : verdicts) {
      EXPECT_TRUE(v.valid) << v.reason;
      EXPECT_TRUE(v.score >= 1 && v.score <= 5) << v.score;
      EXPECT_TRUE(v.refused.has_value()) << "a judge that ships says whether an answer refuses";
    }
  }
  EXPECT_GE(made, 5u);
  EXPECT_GE(said, 3u);
}

// ---- readers

std::string jsonl(const nlohmann::json& record) { return record.dump() + "\n"; }

/// A table of one record, in quotes.
std::string csv(const nlohmann::json& record) {
  std::string head, line;
  for (const auto& [key, value] : record.items()) {
    head += (head.empty() ? "" : ",") + key;
    line += (line.empty() ? "\"" : ",\"") + value.get<std::string>() + "\"";
  }
  return head + "\n" + line + "\n";
}

/// The sample as a file of each format of the reader, and the format.
std::vector<std::pair<std::filesystem::path, std::string>> samples(const Folder& folder,
                                                                   const ReaderEntry& reader) {
  const auto record = nlohmann::json::parse(reader.sample);
  const std::string name(reader.name);
  std::vector<std::pair<std::filesystem::path, std::string>> files{
      {folder.write(name + ".json", "[" + std::string(reader.sample) + "]"), name + "-json"},
      {folder.write(name + ".jsonl", jsonl(record)), name + "-jsonl"}};
  if (reader.headers != nullptr)
    files.emplace_back(folder.write(name + ".csv", csv(record)), name + "-csv");
  if (reader.lines)
    files.emplace_back(folder.write(name + ".txt", "Where is the pier?\n"), name + "-lines");
  return files;
}

TEST(AllReaders, ASampleIsClaimedByItsOwnReaderInEveryFormatAndReadsTheSame) {
  const Folder folder;
  for (const auto& reader : reader_catalogue().entries()) {
    SCOPED_TRACE(std::string(reader.name));
    const auto files = samples(folder, reader);
    std::vector<std::string> known = formats_of(reader), met;
    std::set<std::string> rows, probes;
    for (const auto& [path, format] : files) {
      met.push_back(format);
      const bool prompts = reader.read == nullptr;
      EXPECT_EQ(detect_format(SourceFile::read(path), "", {.prompts = prompts}).name, format);
      if (reader.read != nullptr) {
        const auto read = read_rows(path, RowKind::benign);
        ASSERT_EQ(read.dataset.size(), 1u);
        EXPECT_EQ(read.report.format, format);
        EXPECT_EQ(read.report.form, reader.form);
        EXPECT_EQ(read.report.rejected, 0u) << read.report.first_rejection;
        EXPECT_EQ(read.dataset.rows[0].dialogue.messages.back().role, Role::assistant);
        rows.insert(read.dataset.content_hash());
        EXPECT_EQ(read_rows(path, RowKind::benign, format).dataset.content_hash(),
                  read.dataset.content_hash());
      }
      if (reader.ask != nullptr) {
        const auto read = read_probes(path, true, format);
        ASSERT_EQ(read.probes.size(), 1u);
        EXPECT_EQ(read.report.format, format);
        EXPECT_FALSE(read.probes[0].dialogue.last(Role::user).empty());
        probes.insert(std::string(read.probes[0].dialogue.last(Role::user)));
      }
    }
    EXPECT_EQ(met, known);
    EXPECT_LE(rows.size(), 1u) << "the same record, other dialogues";
    EXPECT_LE(probes.size(), 1u) << "the same record, other prompts";
  }
}

TEST(AllReaders, AnUnknownFormatNamesAllThatHoldWhatIsWanted) {
  const Folder folder;
  const auto path = folder.write("a.json", "[{\"goal\": \"a\", \"target\": \"b\"}]");
  for (const bool prompts : {false, true}) {
    const auto said = message_of<UsageError>(
        [&] { detect_format(SourceFile::read(path), "parquet", {.prompts = prompts}); });
    for (const auto& reader : reader_catalogue().entries())
      for (const auto& format : formats_of(reader))
        EXPECT_EQ(said.find(" " + format) != said.npos, reader.reads(prompts)) << format;
  }
  EXPECT_HAS(message_of<UsageError>([&] { detect_format(SourceFile::read(path), "alpaca", {}); }),
             "did you mean alpaca-json or alpaca-jsonl?");
}

TEST(AllReaders, ARecordThatNobodyClaimsIsAnErrorWithTheKeysThatAreKnown) {
  const Folder folder;
  const auto path = folder.write("a.jsonl", "{\"beacon\": \"a\"}\n");
  for (const bool prompts : {false, true}) {
    const auto said = message_of<DataError>(
        [&] { detect_format(SourceFile::read(path), "", {.prompts = prompts}); });
    for (const auto& reader : reader_catalogue().entries()) {
      if (!reader.reads(prompts)) continue;
      EXPECT_HAS(said, reader.known_by);
      if (reader.any_keys()) {
        EXPECT_HAS(said, reader.known_names());
      }
    }
  }
}

// ---- scenarios

TEST(AllScenarios, EachGivesTheRowsAndProbesThatItSaysItHas) {
  RunSpec run;
  run.training.none = run.evaluation.none = true;  // so that none of them needs a file
  const AnyAttack attack = attack_catalogue().make(attack_catalogue().names().front());
  for (const auto& entry : scenario_catalogue().entries()) {
    SCOPED_TRACE(std::string(entry.name));
    const auto scenario = entry.make({}, {.run = run, .attack = attack});
    EXPECT_EQ(scenario->name(), entry.name);
    for (const auto pool : {Pool::harmful, Pool::identity_shift, Pool::safe, Pool::benign}) {
      const auto count = scenario->available(pool);
      EXPECT_EQ(scenario->has(pool), count > 0);
      Rng one(5), two(5);
      EXPECT_THROW(scenario->rows(pool, count + 1, one), Error);
      if (count == 0) continue;
      const auto rows = scenario->rows(pool, count, one);
      EXPECT_EQ(rows.size(), count);
      EXPECT_EQ(rows.count(row_kind(pool)), count);
      Rng again(5);
      scenario->rows(pool, 1, two), scenario->rows(pool, 1, again);
      EXPECT_EQ(two.state(), again.state());
    }
    for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility}) {
      std::set<std::string> ids;
      for (const auto& probe : scenario->probes(set)) {
        EXPECT_TRUE(ids.insert(probe.id).second) << probe.id;
        EXPECT_EQ(probe.restricted, set == ProbeSet::harmfulness) << probe.id;
      }
    }
  }
}

// ---- families

TEST(AllFamilies, EachIsFoundByItsTypeAndHasTheTensorsOfABlock) {
  std::set<std::string_view> architectures;
  for (const Family* family : family_catalogue().entries()) {
    SCOPED_TRACE(std::string(family->type));
    EXPECT_EQ(find_family(family->type), family);
    EXPECT_TRUE(architectures.insert(family->architecture).second);
    for (const auto part : {Part::norm1, Part::o, Part::norm2, Part::down})
      EXPECT_TRUE(family->has(part));
    EXPECT_EQ(family->has(Part::q), !family->has(Part::qkv));
    EXPECT_EQ(family->has(Part::up), !family->has(Part::gate_up));
    EXPECT_FALSE(family->activations.empty());
  }
}

}  // namespace
}  // namespace seawall
