// Probes that cannot be asked: each is a row without an answer, and takes no other down.
#include <ATen/ops/isnan.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "seawall/core/error.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/eval/probe_prompts.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/model/files.hpp"
#include "seawall/scenario/organism.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

constexpr const char* picky =
    "{% for m in messages %}{% if m['content'] == 'Be brief.' %}{{ raise_exception('not like "
    "this') }}"
    "{% endif %}{{ m['content'] }} {% endfor %}";

/// The organism with a context of 40 tokens.
struct Fixture {
  std::filesystem::path folder = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "organism";
  HfFolder files = read_hf_folder(folder);
  OrganismScenario scenario;
  std::unique_ptr<Tokenizer> tokenizer = load_sentencepiece(folder / "tokenizer.model");
  std::unique_ptr<ChatTemplate> chat = make_chat_template("organism");
  std::vector<Probe> probes;
  Judges judges;
  std::unique_ptr<Decoder> decoder;

  explicit Fixture(std::int64_t context = 40, std::int64_t vocabulary_of_rows = 0) {
    files.config.max_position_embeddings = context;
    if (vocabulary_of_rows > 0) {
      files.config.vocab_size = vocabulary_of_rows;
      for (auto& [name, tensor] : files.weights)
        if (name.find("embed_tokens") != std::string::npos ||
            name.find("lm_head") != std::string::npos)
          tensor = tensor.narrow(0, 0, vocabulary_of_rows).contiguous();
    }
    decoder = std::make_unique<Decoder>(files.config, std::move(files.weights));
    for (std::size_t i = 0; i < 4; ++i) probes.push_back(scenario.probes(ProbeSet::harmfulness)[i]);
    judges.push_back(make_judge("organism", scenario));
  }
  static Dialogue plain(const Probe& probe) { return probe.dialogue; }
  void make_long(Probe& probe) const {
    std::string& text = probe.dialogue.messages.back().content;
    for (int i = 0; i < 6; ++i) text += " " + text;
  }
  EvaluationRecord answer(bool residual = false) const {
    return evaluate({*decoder, *tokenizer, *chat}, probes, plain, judges,
                    {.max_new_tokens = 12, .residual = residual});
  }
};

TEST(ProbePrompts, OneThatIsTooLongIsARowWithoutAnAnswer) {
  Fixture all, one;
  one.make_long(one.probes[2]);
  const auto want = all.answer(true), got = one.answer(true);
  ASSERT_EQ(got.results.size(), 4u);
  for (const std::size_t i : {0, 1, 3}) {
    EXPECT_EQ(got.results[i].response, want.results[i].response) << i;
    EXPECT_EQ(got.results[i].verdicts[0].score, want.results[i].verdicts[0].score) << i;
    EXPECT_EQ(got.results[i].no_answer, "") << i;
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_LE(got.residual[row].sub(want.residual[row]).abs().max().item<double>(), 1e-4) << i;
  }
  const ProbeResult& bad = got.results[2];
  EXPECT_TRUE(bad.no_answer.starts_with("its prompt is too long: ")) << bad.no_answer;
  EXPECT_TRUE(bad.no_answer.ends_with(" tokens, and the model's context holds 40"))
      << bad.no_answer;
  EXPECT_EQ(bad.response, "");
  EXPECT_FALSE(bad.verdicts[0].valid);
  EXPECT_TRUE(std::isnan(bad.verdicts[0].score));
  EXPECT_EQ(bad.verdicts[0].reason, "no answer: " + bad.no_answer);
  EXPECT_TRUE(at::isnan(got.residual[2]).all().item<bool>());

  const Summary summary = summarize(got);
  EXPECT_EQ(summary.n, 4);
  EXPECT_EQ(summary.invalid, 1);
  // The interval holds both readings of the row that nobody could ask.
  const CellEstimate cell = estimate_cell({outcomes(got)});
  const double judged = static_cast<double>(summary.successes);
  EXPECT_DOUBLE_EQ(cell.rate_worst_lo, judged / 4);
  EXPECT_DOUBLE_EQ(cell.rate_worst_hi, (judged + 1) / 4);
}

TEST(ProbePrompts, EachIsCheckedByItselfAndTheFirstIsNamed) {
  Fixture f;
  f.chat = make_jinja_template(picky, "picky.jinja", special_names(*f.tokenizer));
  f.make_long(f.probes[3]);
  f.probes[1].dialogue.messages.insert(f.probes[1].dialogue.messages.begin(),
                                       {Role::system, "Be brief."});
  std::optional<PictureRows> pictures;
  const auto prompts =
      probe_prompts({*f.decoder, *f.tokenizer, *f.chat}, f.probes, Fixture::plain, pictures);
  ASSERT_EQ(prompts.size(), 4u);
  EXPECT_EQ(prompts[0].no_answer, "");
  EXPECT_FALSE(prompts[0].ids.empty());
  EXPECT_NE(prompts[1].no_answer.find("not like this"), std::string::npos) << prompts[1].no_answer;
  EXPECT_TRUE(prompts[1].ids.empty() && prompts[3].ids.empty());
  EXPECT_EQ(prompts[1].text, f.probes[1].dialogue.messages.back().content);
  EXPECT_FALSE(none_fits(prompts));
  EXPECT_EQ(unfit_probes(f.probes, prompts, "probes"),
            "2 of 4 probes cannot be asked (first: probe " + f.probes[1].id + ": " +
                prompts[1].no_answer + ")");
  EXPECT_EQ(unfit_probes({f.probes[0]}, {prompts[0]}, "probes"), "");
}

TEST(ProbePrompts, ATokenBeyondTheVocabularyIsNoPrompt) {
  const Fixture small(512, 20);  // of an embedding with 20 rows
  std::optional<PictureRows> pictures;
  const auto prompts = probe_prompts({*small.decoder, *small.tokenizer, *small.chat}, small.probes,
                                     Fixture::plain, pictures);
  for (const auto& prompt : prompts)
    EXPECT_NE(prompt.no_answer.find("outside the vocabulary of 20"), std::string::npos)
        << prompt.no_answer;
  EXPECT_TRUE(none_fits(prompts));
  EXPECT_NE(testing::message_of<DataError>([&] {
              small.answer();
            }).find("evaluation: 4 of 4 probes cannot be asked (first: probe "),
            std::string::npos);
}

TEST(ProbePrompts, AnAnswerEndsWithTheContextAndCountsAsCut) {
  Fixture roomy(512);
  std::optional<PictureRows> pictures;
  const auto prompts = probe_prompts({*roomy.decoder, *roomy.tokenizer, *roomy.chat}, roomy.probes,
                                     Fixture::plain, pictures);
  const auto length = static_cast<std::int64_t>(prompts[0].ids.size());
  Fixture tight(length + 2);
  tight.probes = {roomy.probes[0]};
  roomy.probes.resize(1);
  const auto cut = tight.answer().results[0], whole = roomy.answer().results[0];
  EXPECT_EQ(cut.no_answer, "");
  EXPECT_EQ(cut.new_tokens, 3);
  EXPECT_FALSE(cut.finished);
  EXPECT_GT(whole.new_tokens, 3);
  EXPECT_TRUE(whole.response.starts_with(cut.response));
}

}  // namespace
}  // namespace seawall
