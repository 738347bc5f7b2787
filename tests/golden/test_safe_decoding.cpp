#include "mitigations/safe_decoding.hpp"

#include <ATen/ops/allclose.h>

#include <algorithm>
#include <memory>

#include "seawall/model/generate.hpp"
#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

/// The weights with the file's second adapter merged: W + 2 B A.
NamedTensors expert_of(DefenceRun& run) {
  NamedTensors out;
  const NamedTensors factors = DefenceRun::tensors_of("safe_adapter.");
  const auto factor = [&](const std::string& name) {
    for (const auto& [own, tensor] : factors)
      if (own == name) return tensor;
    return Tensor();
  };
  for (const auto& [name, tensor] : run.decoder().parameters()) {
    const std::string module = name.substr(0, name.rfind(".weight"));
    const Tensor a = factor(module + ".lora_A.weight"), b = factor(module + ".lora_B.weight");
    if (a.defined()) out.push_back({name, tensor.detach().add(b.matmul(a), 2)});
  }
  EXPECT_FALSE(out.empty());
  return out;
}

TEST(SafeDecoding, ChoosesTheFilesTokens) {
  DefenceRun run("safe-decoding");
  SafeDecoding policy{{.alpha = run.entry().at("options").at("alpha"),
                       .tokens = run.entry().at("options").at("m"),
                       .common = run.entry().at("options").at("c")}};
  policy.expert = expert_of(run);
  const Sequence row =
      run.encoded(testing::DefenceScenario::pool("harmful", RowKind::harmful, 1)).rows.front();
  const auto first = std::ranges::find(row.loss, 1) - row.loss.begin();
  std::size_t place = 0;
  GenerateOptions options{.max_new_tokens = 4};
  options.choose = [&](const TokenChoice& choice, const Tensor& logits) {
    Tensor out = policy.choose({choice.place, {}, choice.under}, logits);
    if (choice.place >= 2) {
      EXPECT_TRUE(out.is_same(logits));
      return out;
    }
    const auto& want = run.entry().at("decoding").at(place++);
    const Tensor p = out.softmax(-1).squeeze(0);
    std::vector<std::int64_t> tokens;
    for (std::int64_t id = 0; id < p.size(0); ++id)
      if (p[id].item<float>() > 0) tokens.push_back(id);
    EXPECT_EQ(tokens, want.at("tokens").get<std::vector<std::int64_t>>());
    for (std::size_t i = 0; i < tokens.size(); ++i)  // fp32 logits of an fp64 script
      EXPECT_NEAR(p[tokens[i]].item<double>(), want.at("p").at(i), 1e-5) << i;
    return out;
  };
  const auto rows =
      generate(run.decoder(), {{row.ids.begin(), row.ids.begin() + first}}, options).rows;
  EXPECT_EQ(rows.at(0).ids, run.entry().at("answer").get<std::vector<std::int32_t>>());
}

TEST(SafeDecoding, TheStartIsTheExpertUnlessOneIsNamed) {
  for (const bool lora : {false, true}) {
    DefenceRun run("none", lora), other("none", lora);
    const auto start = [](DefenceRun& of) {  // the whole weights
      const MergedAdapter merged(of.decoder());
      NamedTensors all;
      for (const auto& [name, tensor] : of.decoder().parameters())
        all.push_back({name, tensor.detach().clone()});
      return all;
    };
    const NamedTensors before = start(run);
    const auto watched = std::make_shared<NamedTensors>();
    struct Watched : SafeDecoding {
      std::shared_ptr<NamedTensors> seen;
      void on_start(Trainer& trainer) {
        SafeDecoding::on_start(trainer);
        *seen = expert;
      }
    };
    Watched policy;
    policy.seen = watched;
    run.go(policy);
    ASSERT_FALSE(watched->empty());
    for (const auto& [name, tensor] : *watched) {
      const auto own = std::ranges::find(before, name, &NamedTensor::name);
      ASSERT_NE(own, before.end()) << name;
      EXPECT_TRUE(at::allclose(tensor.to(at::kDouble), own->tensor.to(at::kDouble), 1e-6, 1e-7))
          << name;
    }
    policy.options.expert = "base";
    other.go(policy);
    const NamedTensors base = DefenceRun::tensors_of("base.");
    for (const auto& [name, tensor] : *watched) {
      const auto own = std::ranges::find(base, name, &NamedTensor::name);
      EXPECT_TRUE(tensor.equal(own->tensor.to(tensor.scalar_type()))) << name;
    }
  }
}

}  // namespace
}  // namespace seawall
