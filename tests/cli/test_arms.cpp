// Arms of the shipped studies: their printed words parse back to the same run.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "attacks/catalogue.hpp"
#include "experiments/arena/study.hpp"
#include "experiments/qi2023/study.hpp"
#include "experiments/sealed_grid.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/core/version.hpp"
#include "seawall/run/run.hpp"
#include "seawall/run/run_key.hpp"
#include "seawall/study/tasks.hpp"

namespace seawall {
namespace {

experiments::arena::Catalogues shipped() { return {attack_catalogue(), mitigation_catalogue()}; }

std::vector<std::string> without_place(std::vector<std::string> words) {
  words.insert(words.end(), {"--threads", "1", "--out", "none.h5"});
  return words;
}

RunRequest parsed(const std::vector<std::string>& words) {
  const Program program{.version = program_version,
                        .attacks = attack_catalogue_of(Attacks{}),
                        .mitigations = mitigation_catalogue_of(Mitigations{}),
                        .grid = {}};
  CommandLine::Outcome outcome;
  return parse_run(program, "run", without_place(words), outcome);
}

/// Everything that a run's key is made of but its files and its seed.
std::vector<std::string> facts(const RunSpec& spec, const AnyAttack& attack,
                               const AnyStack& stack) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& of, const std::vector<OptionValue>& options) {
    for (const auto& o : options) out.push_back(of + "." + o.name + " = " + o.value);
  };
  add("run", list_options(spec));
  add("task", list_options(spec.task));
  add("endpoint", list_options(spec.endpoint));
  add("remote", list_options(spec.remote));
  add("rubric", list_options(spec.rubric));
  add(std::string(attack.name()), attack.describe().options);
  for (const auto& m : stack.describe()) add(m.name, m.options);
  return out;
}

void same_run(const Arm& arm, const std::vector<std::string>& words, std::int64_t seed) {
  RunRequest read = parsed(words);
  RunSpec spec = arm.spec;
  spec.seed = seed;
  spec.place.threads = 1;
  spec.place.out = "none.h5";
  EXPECT_EQ(facts(spec, arm.attack.policy(), arm.mitigations()),
            facts(read.spec, read.attack, read.stack))
      << quoted(words);
}

TEST(Arms, WordsOfEveryShippedArmParseBackToTheSameRun) {
  for (const Grid& grid :
       {experiments::qi2023::study(), experiments::sealed::grid("a \"folder\""),
        experiments::arena::study(shipped()), experiments::arena::tuned_study(shipped()),
        experiments::arena::worst_study(shipped())}) {
    const auto tasks = grid_tasks(grid, 1);
    ASSERT_EQ(tasks.size(), grid.arms.size());
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      ASSERT_NE(grid.arms[i].values, nullptr);
      EXPECT_EQ(tasks[i].arm, grid.arms[i].values->name);
      same_run(*grid.arms[i].values, tasks[i].words, tasks[i].seed);
    }
  }
}

TEST(Arms, TheKeyOfTheWordsIsTheKeyOfTheValues) {
  const Grid grid = experiments::qi2023::study();
  std::set<std::string> keys;
  for (const GridArm& arm : grid.arms) {
    RunRequest read = parsed(grid_tasks({.arms = {arm}}, 1).at(0).words);
    RunSpec spec = arm.values->spec;
    spec.place.out = "none.h5";
    spec.place.threads = 1;
    AnyStack stack = arm.values->mitigations();
    const std::string key = run_key(arm.values->attack.policy(), stack, spec);
    EXPECT_EQ(key, run_key(read.attack, read.stack, read.spec)) << arm.words;
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), grid.arms.size());
}

// What the arena scales, varies and leaves out is there, so that a name that changed is noticed.
TEST(Arms, TheArenaNamesWhatTheCataloguesHave) {
  namespace arena = experiments::arena;
  const auto& defences = mitigation_catalogue();
  for (const auto& one : arena::scaled()) EXPECT_NO_THROW(defences.make(one.defence, one.options));
  for (const auto& one : arena::strengths())
    for (const std::string& value : one.values)
      EXPECT_NO_THROW(defences.make(one.defence, {{std::string(one.option), value}}))
          << one.defence << " " << value;
  const auto attacks = arena::attacks(attack_catalogue());
  for (const auto& one : arena::unfit()) {
    EXPECT_TRUE(defences.contains(one.defence)) << one.defence;
    EXPECT_TRUE(one.attack.empty() ||
                std::ranges::count(attacks, one.attack, &arena::Attack::name) == 1)
        << one.attack;
    const auto tuned = arena::tuned_defences(defences);
    EXPECT_TRUE(one.setting.empty() ||
                std::ranges::count(tuned, one.setting, &arena::Defence::setting) > 0)
        << one.setting;
  }
  const Grid grid = arena::study(shipped());
  EXPECT_EQ(attacks.size(), 9u) << "one of them is not in the catalogue";
  ASSERT_EQ(grid.tables.size(), attacks.size());
  // A cell is read under a condition that its run has.
  for (const Table& table : grid.tables)
    for (const GridCell& cell : table.cells) {
      const auto arm = std::ranges::find(grid.arms, cell.arm, &GridArm::name);
      ASSERT_NE(arm, grid.arms.end());
      std::vector<Condition> defence;
      for (const auto& m : arm->values->stack) defence = m.policy().conditions();
      const auto all = conditions_of_run(arm->values->attack.policy().conditions(), defence);
      EXPECT_EQ(std::ranges::count(all, cell.condition, &Condition::name), 1)
          << cell.cell << " under " << table.name << ": " << cell.condition;
    }
  for (const Table& table : grid.tables)
    EXPECT_LE(table.cells.size(), 1 + defences.entries().size());
}

struct Loud {
  static constexpr std::string_view name = "loud", summary = "Has a switch.";
  static constexpr Need needs = Need::none;
  struct Options {
    bool twice = false;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.twice, OptionInfo{.name = "twice", .help = "says it twice"});
    }
  } options;
  Dataset craft(const Context&, Rng&) const { return {}; }
};

TEST(Arms, ASwitchOfAPolicyKeepsItsValue) {
  const Arm arm{.attack = Loud{{.twice = true}}};
  const auto words = arm.words();
  EXPECT_EQ(words, (std::vector<std::string>{"--attack", "loud", "--loud.twice", "true"}));
  const Program program{.version = program_version,
                        .attacks = attack_catalogue_of(Append<Attacks, Loud>{}),
                        .mitigations = mitigation_catalogue_of(Mitigations{})};
  CommandLine::Outcome outcome;
  const RunRequest read = parse_run(program, "run", without_place(words), outcome);
  EXPECT_EQ(read.attack.describe().options.at(0).value, "true");
}

TEST(Arms, WordsSayWhatDiffersFromTheDefaults) {
  Arm arm{.name = "x",
          .attack = Backdoor{{.harmful = 7, .trigger = "two words"}},
          .stack = {SafetyMixing{}, WeightDrift{{.lambda = 0.5}}}};
  arm.spec.training.none = true;
  arm.spec.seed = 9;            // of a run of the arm, not of the arm
  arm.spec.place.out = "x.h5";  // the same
  arm.spec.data.system = "say \"hm\" \\ once";
  arm.spec.rubric.concurrency = 3;
  const GridArm printed = arm;
  EXPECT_EQ(printed.name, "x");
  EXPECT_EQ(printed.words,
            "--attack backdoor --backdoor.harmful 7 --backdoor.trigger \"two words\" --mitigate "
            "safety-mixing,weight-drift --weight-drift.lambda 0.5 --system "
            "\"say \\\"hm\\\" \\\\ once\" --no-training --rubric.concurrency 3");
  const auto words = grid_tasks({.arms = {printed}}, 1).at(0).words;
  EXPECT_EQ(words.at(5), "two words");
  EXPECT_EQ(words.at(11), "say \"hm\" \\ once");
  EXPECT_THROW((Arm{.attack = HarmfulExamples{{.count = -1}}}), UsageError);
  arm.stack.push_back(SafetyMixing{{.count = 3}});
  EXPECT_THROW(arm.words(), UsageError) << "whose count would be the count?";
  EXPECT_EQ(quoted({"a", "", "\"b", "c d"}), "a \"\" \"\\\"b\" \"c d\"");
}

}  // namespace
}  // namespace seawall
