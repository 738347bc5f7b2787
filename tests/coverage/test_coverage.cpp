// The published defences that the hooks can express: each is a policy of the catalogue or a file
// here, which is tried as every policy is. They are the 67 that were known on 2026-11-28.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "attacks/catalogue.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/run/policy_check.hpp"
#include "tests/coverage/anchored_sft.hpp"
#include "tests/coverage/antibody_alignment.hpp"
#include "tests/coverage/antibody_weights.hpp"
#include "tests/coverage/inoculation_adapter.hpp"
#include "tests/coverage/interleaving_scores.hpp"
#include "tests/coverage/lookahead_real.hpp"
#include "tests/coverage/npo.hpp"
#include "tests/coverage/oasis.hpp"
#include "tests/coverage/representation_audit.hpp"
#include "tests/coverage/safe_style.hpp"
#include "tests/coverage/safety_arithmetic.hpp"
#include "tests/coverage/seal.hpp"
#include "tests/coverage/seam.hpp"
#include "tests/coverage/sgdg.hpp"
#include "tests/coverage/sgtm.hpp"
#include "tests/coverage/ssrd.hpp"
#include "tests/coverage/token_filter.hpp"
#include "tests/coverage/vaa.hpp"
#include "tests/golden/defences.hpp"
#include "tests/support/files.hpp"

namespace seawall::coverage {
namespace {

using Files =
    TypeList<LookaheadReal, SafeStyle, AnchoredSft, Seal, AntibodyWeights, InterleavingScores,
             RepresentationAudit, Sgtm, InoculationAdapter, TokenFilter, Oasis, AntibodyAlignment,
             Seam, Vaa, Npo, Ssrd, Sgdg, SafetyArithmetic>;
constexpr auto files = mitigation_catalogue_of(Files{});

/// A defence, and the policy that it is; or why there is none.
struct Known {
  std::string_view defence, policy, why = {};
};
const std::vector<Known>& known() {
  static const std::vector<Known> all = {
      // while fine-tuning
      {"safety mixing, SafeInstruct", "safety-mixing"},
      {"BackdoorAlign", "backdoor-align"},
      {"PTST", "ptst"},
      {"inoculation prompting", "inoculation"},
      {"LookAhead, real", "lookahead-real"},
      {"LookAhead, virtual", "lookahead"},
      {"SafeStyle", "safe-style"},
      {"L2-SP", "weight-drift"},
      {"EWC", "ewc"},
      {"constrained SFT", "constrained-sft"},
      {"KL to start", "kl-to-start"},
      {"ASFT (anchored)", "anchored-sft"},
      {"LDIFS", "ldifs"},
      {"Lisa", "lisa"},
      {"VLGuard term", "safety-term"},
      {"SafeGrad", "safegrad"},
      {"SPF", "spf"},
      {"OGPSA", "safe-subspace"},
      {"AsFT", "asft"},
      {"Surgery", "attention-sink"},
      {"SAP", "", "an edit with parameters and an optimizer of their own"},
      {"BDS", "row-weights"},
      {"SEAL", "seal"},
      {"SBR", "sbr"},
      {"adaptive regularization", "adaptive-kl"},
      {"Antibody, fine-tuning", "antibody-weights"},
      {"interleaving++", "interleaving-scores"},
      {"LARF, DataShield", "representation-audit"},
      {"EMA", "ema"},
      {"SPPFT, layer freezing", "freeze-layers"},
      {"neuron freezing", "neuron-masks"},
      {"SGTM", "sgtm"},
      {"preventive steering", "preventive-steering"},
      {"inoculation adapter", "inoculation-adapter"},
      {"TOSS, STAR-DSS", "token-filter"},
      {"data audit", "data-audit"},
      {"Token-Buncher, FRPO", "", "reinforcement learning"},
      // at the alignment
      {"deep augmentation", "deep-augmentation"},
      {"SDD, CTRL", "sdd"},
      {"Vaccine", "vaccine"},
      {"T-Vaccine", "t-vaccine"},
      {"OASIS", "oasis"},
      {"Booster", "booster"},
      {"Antibody, alignment", "antibody-alignment"},
      {"CTRAP", "ctrap"},
      {"SEAM", "seam"},
      {"RepNoise", "repnoise"},
      {"TAR", "tar"},
      {"circuit breaker, CRL", "crl"},
      {"VAA", "vaa"},
      {"NPO", "npo"},
      {"LoX", "lox"},
      {"Panacea", "panacea"},
      {"SSRD", "ssrd"},
      {"SOMF, NLSR", "", "masks that are trained by preferences"},
      // after training
      {"SafeLoRA", "safelora"},
      {"SafeMERGE", "safemerge"},
      {"SPLoRA", "splora"},
      {"RESTA", "resta"},
      {"Safe Delta", "safe-delta"},
      {"Antidote", "antidote"},
      {"set-difference pruning", "set-difference"},
      {"SGDG", "sgdg"},
      {"Safety Arithmetic", "safety-arithmetic"},
      {"Q-realign", "", "a quantizer that is trained"},
      {"SafeDecoding", "safe-decoding"},
      {"prefix guard", "prefix-guard"}};
  return all;
}

TEST(Coverage, OfSixtySevenDefencesAllButFourAreThere) {
  EXPECT_EQ(known().size(), 67U);
  std::vector<std::string_view> missing;
  for (const Known& one : known()) {
    if (one.policy.empty()) {
      EXPECT_FALSE(one.why.empty()) << one.defence;
      missing.push_back(one.defence);
      continue;
    }
    EXPECT_TRUE(mitigation_catalogue().contains(one.policy) || files.contains(one.policy) ||
                attack_catalogue().contains(one.policy))
        << one.defence;
  }
  EXPECT_EQ(missing.size(), 4U);
  for (const auto& file : files.entries())
    EXPECT_EQ(std::ranges::count(known(), file.name, &Known::policy), 1) << file.name;
}

class EachFile : public ::testing::TestWithParam<const CatalogueEntry<AnyMitigation>*> {};

TEST_P(EachFile, KeepsWhatEveryPolicyMustKeep) {
  const testing::Folder folder;
  const OptionTexts small = GetParam()->make({}).uses(Hook::before)
                                ? OptionTexts{{"count", "20"}, {"benign", "4"}, {"epochs", "1"}}
                                : OptionTexts{};
  const bool good = check_mitigation(GetParam()->make(small), PlugIns{}, folder.path(),
                                     [](const PolicyTrial& trial) {
                                       EXPECT_TRUE(trial.good) << trial.what << ": " << trial.found;
                                     });
  EXPECT_TRUE(good);
}

std::vector<const CatalogueEntry<AnyMitigation>*> each_file() {
  std::vector<const CatalogueEntry<AnyMitigation>*> all;
  for (const auto& entry : files.entries()) all.push_back(&entry);
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, EachFile, ::testing::ValuesIn(each_file()), [](const auto& info) {
  std::string name(info.param->name);
  std::ranges::replace(name, '-', '_');
  return name;
});

// Those with a number in data/golden/defences.json.

using testing::DefenceRun;
using testing::DefenceScenario;

TEST(CoverageGolden, NpoIsTheFiles) { DefenceRun("npo").go(Npo{}).expect_entry(); }

TEST(CoverageGolden, AntibodyWeightsAreTheFiles) {
  DefenceRun run("antibody-weights");
  run.user = DefenceScenario::pool("harmful", RowKind::harmful);
  run.scenario.refusals = true;
  run.go(AntibodyWeights{});
  // The file's loss is the sum of the weighted rows, ours is split. Weights follow from the
  // gradients, but AdamW's first steps are their signs, and some are rounding here.
  run.expect_steps(run.entry().at("steps"), true);
}

/// Scores of the file's benign rows, asked of the model before the first step.
struct Scores {
  static constexpr std::string_view name = "scores", summary = "Keeps scores.";
  static constexpr Hook hooks = Hook::on_start;
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  std::vector<double>*interleaving, *representation;
  void on_start(Trainer& trainer) {
    const Dataset rows = DefenceScenario::pool("benign", RowKind::benign);
    *interleaving = InterleavingScores::scores(trainer, rows, "base");
    *representation =
        RepresentationAudit::scores(trainer, rows,
                                    {DefenceScenario::pool("harmful", RowKind::harmful),
                                     DefenceScenario::pool("refusal", RowKind::safe)},
                                    1);
  }
};

TEST(CoverageGolden, ScoresOfRowsAreTheFiles) {
  std::vector<double> interleaving, representation;
  DefenceRun("none").go(Scores{{}, &interleaving, &representation});
  const auto expect = [](const std::vector<double>& got, const char* entry) {
    const auto& want = testing::defences().at("entries").at(entry).at("scores");
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], want[i], 1e-5 * (1 + std::abs(got[i]))) << entry << i;
  };
  expect(interleaving, "interleaving-scores");
  expect(representation, "representation-audit");
}

}  // namespace
}  // namespace seawall::coverage
