#pragma once
// The files of data/golden, and SmolLM2 loaded once for all tests.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"
#include "seawall/model/files.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "tests/support/assets.hpp"
#include "tests/support/tensors.hpp"

namespace seawall::testing {

inline std::filesystem::path golden_folder() {
  return std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "golden";
}

inline nlohmann::json golden_json(const std::string& name) {
  std::ifstream file(golden_folder() / name);
  return nlohmann::json::parse(file);
}

/// One JSON value a line.
inline std::vector<nlohmann::json> golden_lines(const std::string& name) {
  std::ifstream file(golden_folder() / name);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

inline std::map<std::string, Tensor> golden_tensors(const std::string& name) {
  std::map<std::string, Tensor> out;
  for (const auto& [key, tensor] : read_safetensors(golden_folder() / name)) out[key] = tensor;
  return out;
}

using Ids = std::vector<std::int32_t>;
inline Ids ids_of(const nlohmann::json& value) { return value.get<Ids>(); }

/// Keeps loss and gradient norm of every step.
struct LossSink final : TraceSink {
  std::vector<double> losses, norms;
  void on_step(const StepRecord& record) override {
    losses.push_back(record.loss);
    norms.push_back(record.grad_norm);
  }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
};

/// A golden test on the real file; skipped, with a visible line, where the file is absent.
class SmolLm2 : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto file = testing::smollm2();
    if (!file) {
      GTEST_SKIP() << "no SmolLM2-135M-Instruct.Q4_1.gguf: run cmake/setup smollm2, or set "
                      "SEAWALL_SMOLLM2";
    }
    set_threads(0);
    if (!loaded()) loaded() = std::make_unique<ModelBundle>(load_model(*file, "cpu", "auto"));
  }
  static const ModelBundle& model() { return *loaded(); }

 private:
  static std::unique_ptr<ModelBundle>& loaded() {
    static std::unique_ptr<ModelBundle> bundle;
    return bundle;
  }
};

}  // namespace seawall::testing
