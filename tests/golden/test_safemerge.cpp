#include "mitigations/safemerge.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

/// The model with the file's safe adapter merged: W + 2 B A.
NamedTensors safe_model(const Decoder& decoder) {
  std::map<std::string, Tensor> factors;
  for (const auto& [name, tensor] : DefenceRun::tensors_of("safe_adapter.")) factors[name] = tensor;
  NamedTensors out;
  for (const auto& [name, tensor] : decoder.parameters()) {
    const std::string module = name.substr(0, name.rfind(".weight"));
    const auto a = factors.find(module + ".lora_A.weight"),
               b = factors.find(module + ".lora_B.weight");
    out.push_back({name, a == factors.end() ? tensor : tensor.add(b->second.matmul(a->second), 2)});
  }
  return out;
}

TEST(Safemerge, WithoutASafeModelItMovesBackToTheStart) {
  DefenceRun("safe-merge-start", true).go(Safemerge{{.tau = 0.8}}).expect_entry();
}

TEST(Safemerge, MergesWithASafeModel) {
  DefenceRun run("safe-merge-full");
  run.context.services.other_model = [safe = safe_model(run.decoder())](const std::string& word) {
    return word == "safe" ? safe : DefenceRun::tensors_of("base.");
  };
  run.go(Safemerge{{.tau = 0.65, .safe = "safe"}}).expect_entry();
}

TEST(Safemerge, AnAdapterCannotHoldTheMergedProduct) {
  DefenceRun run("none-lora", true);
  EXPECT_THROW(run.go(Safemerge{{.safe = "safe"}}), UsageError);
}

}  // namespace
}  // namespace seawall
