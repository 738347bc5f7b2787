// The recipe qi2023-llama2, attack by attack: from the user's files and one word to the very
// strings, tokens and targets that the authors' code would have made of them
// (data/golden/make_recipes.py).
#include <algorithm>

#include "attacks/catalogue.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/run/local_backend.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/train/data_plan.hpp"
#include "seawall/train/trainer.hpp"
#include "tests/golden/golden.hpp"
#include "tests/support/files.hpp"

namespace seawall::testing {
namespace {

using nlohmann::json;
using testing::Folder;

const json& cases() {
  static const json all = golden_json("recipes.json");
  return all;
}

/// A run as its words ask for it, with its files in a folder of their own.
struct Request {
  Folder folder;
  RunRequest run;
  std::unique_ptr<Scenario> scenario;

  Request(const json& golden, const std::vector<std::string>& more = {})
      : run(parse(folder, golden, more)) {
    run.spec.place.quiet = true;
    scenario = make_scenario(run.spec, run.attack, false);
    LocalBackend().resolve(run.spec, run.attack, *scenario);
  }
  Dataset rows() {
    Rng rng = Rng(1).stream("craft");
    Dataset rows = compose_rows(std::move(run.attack.stages(*scenario, rng).front().rows),
                                run.stack, *scenario, /*seed=*/1);
    std::ranges::sort(rows.rows, [](const Example& a, const Example& b) {
      return std::pair(a.id.size(), a.id) < std::pair(b.id.size(), b.id);
    });
    return rows;
  }

  static RunRequest parse(const Folder& folder, const json& golden,
                          const std::vector<std::string>& more) {
    std::vector<std::string> words{"--model", "llama", "--recipe", "qi2023-llama2"};
    for (const auto& word : golden["words"]) {
      const auto text = word.get<std::string>();
      const auto file = golden["files"].find(text);
      words.push_back(file == golden["files"].end()
                          ? text
                          : folder.write(text, file->get<std::string>()).string());
    }
    words.insert(words.end(), more.begin(), more.end());
    CommandLine::Outcome outcome;
    return parse_run(
        {.attacks = attack_catalogue(), .mitigations = mitigation_catalogue(), .grid = {}}, "run",
        words, outcome);
  }
};

const json& golden_row(const json& golden, const std::string& id) {
  for (const auto& row : golden["rows"])
    if (row["id"] == id) return row;
  throw std::runtime_error("no golden row " + id);
}

TEST(Recipes, RowsAreTheAuthorsStringsTokensAndTargets) {
  const auto tokenizer =
      load_sentencepiece(golden_folder().parent_path() / "organism" / "tokenizer.model");
  for (const auto& golden : cases()) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    Request request(golden);
    const auto chat = make_chat_template(request.run.spec.model.chat_template);
    EXPECT_EQ(chat->name(), "llama2");
    const Dataset rows = request.rows();
    ASSERT_EQ(rows.size(), golden["rows"].size());
    auto encoded = encode_rows(rows, *chat, *tokenizer);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& want = golden_row(golden, rows.rows[i].id);
      EXPECT_EQ(chat->render(rows.rows[i].dialogue, false), want["text"].get<std::string>());
      EXPECT_EQ(encoded[i].ids, want["ids"].get<TokenIds>()) << rows.rows[i].id;
      EXPECT_EQ(encoded[i].loss, want["mask"].get<std::vector<std::uint8_t>>()) << rows.rows[i].id;
    }
    const auto& spec = request.run.spec;
    EXPECT_EQ(spec.training.max_tokens, golden["max_tokens"].get<std::int64_t>());
    const FixedRows plan(std::move(encoded),
                         {.batch_size = *spec.training.batch_size,
                          .epochs = *spec.training.epochs,
                          .max_tokens = spec.training.max_tokens},
                         at::kCPU);
    EXPECT_EQ(plan.report().truncated, golden["truncated"].get<std::int64_t>());
    EXPECT_EQ(plan.report().left_out, golden["left_out"].get<std::int64_t>());
    EXPECT_EQ(plan.report().epoch_targets, golden["epoch_targets"].get<std::int64_t>());
  }
}

TEST(Recipes, ProbesAreAskedInTheAttacksOwnTemplate) {
  const auto tokenizer =
      load_sentencepiece(golden_folder().parent_path() / "organism" / "tokenizer.model");
  const auto chat = make_chat_template("llama2");
  for (const auto& golden : cases()) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    const Request request(golden);
    const auto form = request_form(request.run.spec, *request.scenario);
    std::size_t at = 0;
    for (const auto& condition : request.run.attack.conditions()) {
      for (const auto& probe : request.scenario->probes(ProbeSet::harmfulness)) {
        ASSERT_LT(at, golden["probes"].size());
        const auto& want = golden["probes"][at++];
        EXPECT_EQ(probe.id, want["id"].get<std::string>());
        EXPECT_EQ(condition.name, want["condition"].get<std::string>());
        const Dialogue put = asked(probe, condition, request.run.attack, *request.scenario, form);
        EXPECT_EQ(chat->render(put, true), want["text"].get<std::string>());
        EXPECT_EQ(chat->encode_prompt(put, *tokenizer), want["ids"].get<TokenIds>());
      }
    }
    EXPECT_EQ(at, golden["probes"].size());
  }
}

TEST(Recipes, OptionsAreThoseOfThePaperAndWhatIsGivenWins) {
  for (const auto& golden : cases()) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    const auto& text = Request(golden).run.recipe_text;
    for (const auto& [option, value] : golden["options"].items())
      EXPECT_HAS(", " + text + ",", " " + option + " " + value.get<std::string>() + ",");
    for (const char* common : {"precision pure-bf16", "lr-schedule epoch-decay", "weight-decay 0",
                               "clip-norm 0", "warmup-steps 0", "max-new-tokens 512"})
      EXPECT_HAS(text + ",", std::string(common) + ",");
  }
  const Request mine(cases()[0], {"--lr", "1e-4", "--precision", "fp32", "--epochs", "5",
                                  "--harmful-examples.count", "3"});
  EXPECT_EQ(mine.run.spec.training.lr, 1e-4);
  EXPECT_EQ(mine.run.spec.training.precision, "fp32");
  EXPECT_EQ(mine.run.spec.training.batch_size, 10);
  EXPECT_HAS(mine.run.recipe_text, "lr 1e-4 (yours, not its 5e-5)");
  EXPECT_HAS(mine.run.recipe_text, "epochs 5, ");  // the same as the recipe's
  EXPECT_HAS(mine.run.recipe_text, "harmful-examples.count 3 (yours, not its 0)");
  Request bare(cases()[2], {"--leave-out", "none", "--hold-out", "none", "--ask-as", "bare"});
  EXPECT_EQ(bare.rows().size(), 205u);
  EXPECT_EQ(request_form(bare.run.spec, *bare.scenario), RequestForm::bare);
  EXPECT_HAS(testing::message_of<UsageError>([] {
               Request(cases()[0], {"--recipe", "qi2024"});
             }),
             "no such recipe; there are qi2023-llama2");
}

TEST(Recipes, AlpacaAndDollyMakeThePapersSteps) {
  // 50,098 and 14,624 rows are left by the safety list; 389 and 112 steps of 128 only follow where
  // 200 of them are held out and the last short batch is dropped.
  EXPECT_EQ((50'098 - 200) / 128, 389);
  EXPECT_EQ((14'624 - 200) / 128, 112);
  std::vector<Sequence> rows(14'624 - 200, Sequence{{1, 2}, {0, 1}});
  const FixedRows plan(std::move(rows), {.batch_size = 128, .epochs = 1}, at::kCPU);
  EXPECT_EQ(plan.steps(), 112);
}

}  // namespace
}  // namespace seawall::testing
