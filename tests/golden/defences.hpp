#pragma once
// Runs of the tiny model of data/golden/defences.json through the real trainer, and what the
// file says of them.
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/model/lora.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/train/trainer.hpp"
#include "tests/golden/defence_scenario.hpp"

namespace seawall::testing {

/// Keeps each step's gradient, as AdamW is given it; the last of a stack.
struct GradientWatch {
  static constexpr std::string_view name = "gradient-watch", summary = "Keeps gradients.";
  static constexpr Hook hooks = Hook::before_step;
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  std::vector<NamedTensors>* seen = nullptr;
  void before_step(Trainer& trainer, const Step&) {
    NamedTensors all;
    const Tensors each = gradients_of(trainer.params());
    for (std::size_t i = 0; i < each.size(); ++i)
      all.push_back({std::string(trainer.params()[i].name), each[i]});
    seen->push_back(std::move(all));
  }
};

struct RecordSink final : TraceSink {
  std::vector<StepRecord> steps;
  void on_step(const StepRecord& record) override { steps.push_back(record); }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
};

/// The two steps of an entry: batches of 4 user rows, AdamW at lr 1e-3.
class DefenceRun {
 public:
  DefenceScenario scenario;
  Dataset user = DefenceScenario::pool("user", RowKind::other);
  DataOptions data{.batch_size = 4, .epochs = 1};
  TrainOptions options;
  TrainContext context;
  RecordSink sink;
  TrainResult result;
  std::vector<NamedTensors> gradients;               // one list per step
  std::function<EncodedRows(const Dataset&)> given;  // tokens in place of the texts'

  explicit DefenceRun(const std::string& entry, bool lora = false)
      : name_(entry), entry_(defences().at("entries").at(entry)), model_(load()) {
    options.schedule = {.kind = LrSchedule::constant, .lr = 1e-3};
    data.steps = static_cast<std::int64_t>(entry_.value("steps", nlohmann::json::array()).size());
    context.scenario = &scenario;
    context.services.encode = [this](const Dataset& rows) { return encoded(rows); };
    context.services.other_model = [](const std::string& word) {
      if (word != "base" && word != "organism-base") throw UsageError("no model " + word);
      return tensors_of("base.");
    };
    if (lora) model_.decoder->adapt(adapter());
  }
  DefenceRun(const DefenceRun&) = delete;  // its services point to it
  DefenceRun& operator=(const DefenceRun&) = delete;

  const nlohmann::json& entry() const { return entry_; }
  Decoder& decoder() { return *model_.decoder; }
  /// The tensors of defences.safetensors under `prefix`, without it.
  static NamedTensors tensors_of(const std::string& prefix) {
    static const auto all = golden_tensors("defences.safetensors");
    NamedTensors out;
    for (const auto& [name, tensor] : all)
      if (name.starts_with(prefix)) out.push_back({name.substr(prefix.size()), tensor.clone()});
    return out;
  }
  EncodedRows from_texts(const Dataset& rows) const {
    return {encode_rows(rows, *model_.chat_template, *model_.tokenizer), {}};
  }
  EncodedRows encoded(const Dataset& rows) const { return given ? given(rows) : from_texts(rows); }

  template <class... Policies>
  DefenceRun& go(Policies... policies) {
    context.services.rows = &user;
    AnyStack stack;
    (stack.push_back(AnyMitigation(std::move(policies))), ...);
    stack.push_back(AnyMitigation(GradientWatch{{}, &gradients}));
    FixedRows source(encoded(user).rows, data, at::kCPU);
    result = train(decoder(), source, stack, options, sink, context);
    return *this;
  }

  /// What was trained, by name: weights, or the factors of the LoRA.
  NamedTensors trained() const {
    const Decoder& decoder = *model_.decoder;
    return decoder.adapter() ? decoder.adapter()->tensors() : decoder.parameters();
  }
  /// Loss, penalty and gradient norms of the steps, and the weights after them.
  void expect_entry() const {
    expect_steps(entry_.at("steps"));
    expect_weights(entry_.at("weights"), trained());
  }
  /// The same, and the policy's term alone with theta = the base and theta0 = the model.
  template <class P>
  void expect_entry_and_far(P policy) {
    go(policy).expect_entry();
    const auto& far = entry_.at("far");
    const NamedTensors start = in_order(DefenceRun("none").trained()),
                       base = in_order(tensors_of("base."));
    std::vector<NamedTensors> found[2];
    double term = 0;
    for (const bool with : {false, true}) {
      DefenceRun one(name_);
      one.data.steps = 1;
      one.decoder().replace(base);
      one.context.start = &start;
      with ? one.go(policy) : one.go();
      term = one.sink.steps[0].penalty;
      found[with] = one.gradients;
    }
    double square = 0;
    for (std::size_t i = 0; i < found[0][0].size(); ++i)
      square += (found[1][0][i].tensor - found[0][0][i].tensor).square().sum().item<double>();
    // Read as differences of two runs, so their rounding comes on top.
    EXPECT_NEAR(term, far.at("value"), norm_near(term) + loss_near(20)) << name_;
    EXPECT_NEAR(std::sqrt(square), far.at("grad_norm"), norm_near(std::sqrt(square)) + 1e-5)
        << name_;
  }
  /// `sum`: the file splits the loss between loss and penalty in another way.
  void expect_steps(const nlohmann::json& want, bool sum = false) const {
    ASSERT_EQ(sink.steps.size(), want.size()) << name_;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const StepRecord& got = sink.steps[i];
      const double loss = want[i].at("loss"), penalty = want[i].value("penalty", 0.0);
      const double whole = std::abs(loss) + std::abs(penalty);
      EXPECT_NEAR(got.loss + got.penalty, loss + penalty, loss_near(whole)) << name_ << i;
      if (!sum) {
        EXPECT_NEAR(got.loss, loss, loss_near(whole)) << name_ << i;
        EXPECT_NEAR(got.penalty, penalty, norm_near(penalty) + loss_near(whole)) << name_ << i;
      }
      EXPECT_NEAR(got.grad_norm, want[i].at("grad_norm"), norm_near(got.grad_norm)) << name_ << i;
      for (const auto& [name, gradient] : gradients.at(i)) {
        const double norm = want[i].at("grad_norms").at(name);
        // A tensor's gradient can be small next to the whole one, which its rounding errors follow.
        EXPECT_NEAR(gradient.norm().item<double>(), norm, norm_near(norm + 0.01 * got.grad_norm))
            << name_ << i << name;
      }
    }
  }
  void expect_weights(const nlohmann::json& want, const NamedTensors& tensors) const {
    std::size_t found = 0;
    for (const auto& [name, tensor] : tensors) {
      if (!want.contains(name)) continue;
      ++found;
      expect_digest(want.at(name), tensor.detach(), name);
    }
    EXPECT_EQ(found, want.size()) << name_;
  }
  /// Sum, norm and eight entries.
  void expect_digest(const nlohmann::json& want, const Tensor& tensor,
                     const std::string& what) const {
    const Tensor flat = tensor.to(at::kDouble).reshape({-1}).contiguous();
    const double* value = flat.const_data_ptr<double>();
    const double near = entry_near(), whole = near * std::sqrt(static_cast<double>(flat.numel()));
    for (std::int64_t k = 0; k < 8; ++k) {
      const double entry = want.at("entries").at(static_cast<std::size_t>(k));
      EXPECT_NEAR(value[(2 * k + 1) * flat.numel() / 16], entry, near) << name_ << what << k;
    }
    EXPECT_NEAR(flat.sum().item<double>(), want.at("sum").get<double>(), 4 * whole)
        << name_ << what;
    EXPECT_NEAR(flat.norm().item<double>(), want.at("norm").get<double>(), whole) << name_ << what;
  }
  /// A number that policies measured in a step. NaN if none did.
  double measured(std::size_t step, const std::string& name) const {
    for (const auto& [key, value] : sink.steps.at(step).measured)
      if (key == name) return value;
    return NAN;
  }
  // Tolerances. The file says how far its own script is off in float32; another order of the same
  // sums may be off some times as far (10), and what is read as the difference of two losses has
  // their rounding.
  double norm_near(double value) const {
    return std::abs(value) * (10 * entry_.at("float32").at("norms").get<double>() + 2e-6);
  }
  double loss_near(double value) const { return 2e-6 * value; }
  double entry_near() const { return 10 * entry_.at("float32").at("entries").get<double>() + 1e-6; }

 private:
  /// In the model's own order, each a copy.
  NamedTensors in_order(const NamedTensors& tensors) const {
    NamedTensors out;
    for (const auto& own : model_.decoder->parameters())
      for (const auto& [name, tensor] : tensors)
        if (name == own.name) out.push_back({name, tensor.detach().clone()});
    return out;
  }
  static ModelBundle load() {
    return load_model((golden_folder() / "llama_tiny_untied").string(), "cpu", "auto");
  }
  Adapter adapter() const {
    const LoraOptions lora{
        .rank = 4, .alpha = 8, .targets = targets_from("q_proj,v_proj,down_proj"), .dropout = 0};
    const Decoder& decoder = *model_.decoder;
    Adapter adapter = make_adapter(decoder.config(), lora, 1, decoder.embedding());
    const NamedTensors given = tensors_of("adapter.");
    NamedTensors ordered = adapter.tensors();
    for (auto& [name, tensor] : ordered)
      for (const auto& each : given)
        if (each.name == name) tensor = each.tensor;
    adapter.replace(ordered);
    return adapter;
  }

  std::string name_;
  nlohmann::json entry_;
  ModelBundle model_;
};

}  // namespace seawall::testing
