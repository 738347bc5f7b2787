#include "seawall/model/lora.hpp"

#include <gtest/gtest.h>

#include "model/layer_lora.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/model/generate.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using testing::Composite;
using testing::double_tolerance;
using testing::largest_difference;
using testing::random_row;
using testing::small_config;
using testing::small_decoder;

/// Rows that share prefixes on two levels.
std::vector<Sequence> shared_rows() {
  std::mt19937 random(3);
  const auto root = random_row(random, {}, 9).ids;
  const auto middle = random_row(random, root, 7).ids;
  return {random_row(random, root, 4), random_row(random, middle, 5),
          random_row(random, middle, 40), random_row(random, {}, 12)};
}

/// Factors with both A and B away from zero. The rank of each projection differs.
Adapter lively_adapter(const LlamaConfig& config, const std::string& targets, const Tensor& like,
                       double dropout = 0) {
  LoraOptions options{.rank = 3, .alpha = 5, .targets = targets_from(targets), .dropout = dropout};
  Adapter adapter = make_adapter(config, options, 7, like);
  auto generator = at::detail::createCPUGenerator(4);
  std::int64_t rank = 2;
  for (auto& f : adapter.factors) {
    if (!f.on()) continue;
    f.a = at::empty({rank, f.a.size(1)}, f.a.options()).normal_(0, 0.3, generator);
    f.b = at::empty({f.b.size(0), rank}, f.b.options()).normal_(0, 0.3, generator);
    f.scale = lora_scale(5, rank, false);
    rank = rank % 4 + 1;
  }
  return adapter;
}

void want_gradients(const Adapter& adapter) {
  for (const auto& [name, tensor] : adapter.tensors()) {
    tensor.mutable_grad() = Tensor();
    tensor.set_requires_grad(true);
  }
}

std::vector<Tensor> factor_gradients(Decoder& decoder, const BatchPlan& plan) {
  want_gradients(*decoder.adapter());
  decoder.loss(plan, LossMode::fused).backward();
  std::vector<Tensor> out;
  for (const auto& [name, tensor] : decoder.adapter()->tensors()) out.push_back(tensor.grad());
  return out;
}

/// The plain way: each row alone, over weights W + s B A that autograd made from the factors.
std::vector<Tensor> reference_gradients(const LlamaConfig& config, const Adapter& adapter,
                                        const std::vector<Sequence>& rows, Tensor& losses) {
  want_gradients(adapter);
  Decoder plain = small_decoder(config);
  NamedTensors weights = plain.parameters();
  const auto names = adapter.weight_names();
  const auto factors = adapter.tensors();
  std::vector<const LoraFactors*> on;
  for (const auto& f : adapter.factors)
    if (f.on()) on.push_back(&f);
  std::size_t found = 0;
  for (auto& [name, tensor] : weights)
    if (const auto at = std::ranges::find(names, name); at != names.end()) {
      const auto& f = *on[static_cast<std::size_t>(at - names.begin())];
      tensor = tensor.detach() + at::matmul(f.b, f.a) * f.scale;
      ++found;
    }
  EXPECT_EQ(found, names.size());
  plain.replace(weights);
  losses = testing::reference_losses(plain, rows);
  losses.mean().backward();
  std::vector<Tensor> out;
  for (const auto& [name, tensor] : factors) out.push_back(tensor.grad());
  return out;
}

void expect_reference_gradients(const LlamaConfig& config, const char* targets) {
  const auto rows = shared_rows();
  Decoder decoder = small_decoder(config);
  decoder.adapt(lively_adapter(config, targets, decoder.embedding()));
  const Adapter& adapter = *decoder.adapter();
  Tensor want;
  const auto reference = reference_gradients(config, adapter, rows, want);
  const auto plan = plan_batch(rows, at::kCPU, {});
  ASSERT_LT(plan.tokens, 60 + 40);  // prefixes are shared
  for (const bool composite : {false, true})
    for (const auto mode : {LossMode::fused, LossMode::per_token})
      for (const bool targets_only : {false, true}) {
        set_compute_path(composite ? ComputePath::composite : ComputePath::fused);
        want_gradients(adapter);
        const Tensor mine = targets_only ? decoder.loss(plan, mode)
                                         : decoder.loss(decoder.hidden(plan), plan, mode);
        EXPECT_LT(largest_difference(mine, mode == LossMode::fused ? want.mean() : want),
                  double_tolerance);
        mine.mean().backward();
        const auto factors = adapter.tensors();
        for (std::size_t i = 0; i < factors.size(); ++i) {
          const auto& [name, tensor] = factors[i];
          ASSERT_TRUE(tensor.grad().defined()) << name << (composite ? " composite" : " fused");
          EXPECT_LT(largest_difference(tensor.grad(), reference[i]), double_tolerance) << name;
          EXPECT_GT(reference[i].abs().max().item<double>(), 1e-6) << name << ": nothing there";
        }
        for (const auto& [name, tensor] : decoder.parameters())
          EXPECT_FALSE(tensor.grad().defined()) << name << " is frozen";
      }
  set_compute_path(ComputePath::fused);
}

class LoraGradients : public ::testing::TestWithParam<const char*> {};

TEST_P(LoraGradients, AreThoseOfTheMergedWeightsOnEveryPath) {
  expect_reference_gradients(small_config(4, 2, false), GetParam());
}

TEST(LoraFamilies, GradientsAreThoseOfTheMergedWeights) {
  for (const auto& config : testing::family_configs()) {
    SCOPED_TRACE(std::string(config.family->type));
    expect_reference_gradients(config, "all");
    if (config.family->has(Part::qkv)) expect_reference_gradients(config, "qkv_proj,o_proj");
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, LoraGradients,
                         ::testing::Values("all", "q_proj,v_proj", "k_proj", "o_proj,down_proj",
                                           "gate_proj", "up_proj,q_proj"));

TEST(Lora, FrozenFactorsGetNoGradientAndStopTheBackwardPass) {
  const auto config = small_config();
  Decoder decoder = small_decoder(config);
  decoder.adapt(lively_adapter(config, "all", decoder.embedding()));
  const auto plan = plan_batch(shared_rows(), at::kCPU, {});
  const auto factors = decoder.adapter()->tensors();
  const auto all = factor_gradients(decoder, plan);
  std::vector<Tensor> want;
  for (const auto& g : all) want.push_back(g.clone());
  for (const auto& [name, tensor] : factors) {
    tensor.mutable_grad() = Tensor();
    tensor.set_requires_grad(name.find("layers.1.") != std::string::npos);
  }
  decoder.loss(plan, LossMode::fused).backward();
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const auto& [name, tensor] = factors[i];
    ASSERT_EQ(tensor.grad().defined(), name.find("layers.1.") != std::string::npos) << name;
    if (tensor.grad().defined()) {
      EXPECT_EQ(largest_difference(tensor.grad(), want[i]), 0);
    }
  }
}

TEST(Lora, DropoutIsTheSameOnBothPathsAndItsGradientIsExact) {
  const auto config = small_config();
  Decoder decoder = small_decoder(config);
  decoder.adapt(lively_adapter(config, "all", decoder.embedding(), 0.3));
  Adapter& adapter = *decoder.adapter();
  const auto plan = plan_batch(shared_rows(), at::kCPU, {});
  const double quiet = decoder.loss(plan, LossMode::fused).item<double>();
  adapter.dropout_key = 77;
  const Tensor loss = decoder.loss(plan, LossMode::fused);
  EXPECT_NE(loss.item<double>(), quiet);
  EXPECT_EQ(decoder.loss(plan, LossMode::fused).item<double>(), loss.item<double>());
  std::vector<Tensor> fused;
  for (const auto& g : factor_gradients(decoder, plan)) fused.push_back(g.clone());
  {
    const Composite composite;
    const Tensor other = decoder.loss(plan, LossMode::fused);
    EXPECT_NEAR(other.item<double>(), loss.item<double>(), double_tolerance);
    const auto got = factor_gradients(decoder, plan);
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_LT(largest_difference(got[i], fused[i]), double_tolerance) << i;
  }
  // Central differences, where nothing but the forward pass is used.
  const auto factors = adapter.tensors();
  for (std::size_t i = 0; i < factors.size(); i += 3) {
    const Tensor& f = factors[i].tensor;
    f.set_requires_grad(false);
    double* value = f.mutable_data_ptr<double>() + f.numel() / 2;
    const double here = *value, h = 1e-6;
    *value = here + h;
    const double up = decoder.loss(plan, LossMode::fused).item<double>();
    *value = here - h;
    const double down = decoder.loss(plan, LossMode::fused).item<double>();
    *value = here;
    EXPECT_NEAR(fused[i].flatten()[f.numel() / 2].item<double>(), (up - down) / (2 * h), 1e-6)
        << factors[i].name;
  }
  adapter.dropout_key = 78;
  EXPECT_NE(decoder.loss(plan, LossMode::fused).item<double>(), loss.item<double>());
}

TEST(Lora, DropoutLeavesOutItsShareAndKeepsTheMean) {
  const Dropout whole{99, 0.25};
  const Tensor like = at::ones({300, 130}, at::kDouble);
  const Tensor mask = dropout_mask(whole.of(2, Projection::v), {}, like);
  const double share = mask.eq(0).to(at::kDouble).mean().item<double>();
  EXPECT_NEAR(share, 0.25, 4 * std::sqrt(0.25 * 0.75 / 39000));  // 4 sigma
  EXPECT_NEAR(mask.max().item<double>(), 1 / 0.75, 1e-4);
  // Rows and columns are independent: no row or column is favoured.
  EXPECT_LT(mask.ne(0).to(at::kDouble).mean(0).sub(0.75).abs().max().item<double>(), 0.12);
  EXPECT_LT(mask.ne(0).to(at::kDouble).mean(1).sub(0.75).abs().max().item<double>(), 0.18);
  EXPECT_GT(dropout_mask(whole.of(2, Projection::k), {}, like).ne(mask).sum().item<double>(), 1000);
  EXPECT_GT(dropout_mask(whole.of(1, Projection::v), {}, like).ne(mask).sum().item<double>(), 1000);
  // A row keeps its mask wherever it stands.
  const Tensor rows = at::tensor({7, 3}, at::kLong);
  const Tensor two = dropout_mask(whole.of(2, Projection::v), rows, like.narrow(0, 0, 2));
  EXPECT_TRUE(two[0].equal(mask[7]) && two[1].equal(mask[3]));
}

TEST(Lora, DropoutActsOnTheInputOfAAlone) {
  // PEFT: result + lora_B(lora_A(dropout(x))) * scaling.
  at::set_num_threads(1);
  auto generator = at::detail::createCPUGenerator(1);
  const auto random = [&](std::int64_t m, std::int64_t n) {
    return at::empty({m, n}, at::kDouble).normal_(0, 1, generator);
  };
  const Tensor x = random(6, 10), a = random(3, 10), b = random(5, 3);
  Tensor y = random(6, 5);
  const Dropout dropout{5, 0.4};
  const Tensor mask = dropout_mask(dropout.of(0, Projection::up), {}, x);
  const Tensor want = y + at::matmul(at::matmul(x * mask, a.t()), b.t()) * 2.5;
  cpu::LayerLora<double> lora;
  lora.factors[static_cast<std::size_t>(Projection::up)] = {
      a.const_data_ptr<double>(), b.const_data_ptr<double>(), nullptr, nullptr, 3, 2.5};
  lora.dropout = dropout;
  lora.forward(Projection::up, {6, 5, 10}, {x.const_data_ptr<double>(), 10},
               {y.mutable_data_ptr<double>(), 5});
  EXPECT_LT(largest_difference(y, want), 1e-13);
}

TEST(Lora, StartsAsPeftDoes) {
  const auto config = small_config();
  LoraOptions options{.rank = 4, .alpha = 8, .targets = targets_from("q_proj,down_proj")};
  const Tensor like = at::empty({1}, at::kFloat);
  const Adapter adapter = make_adapter(config, options, 1, like);
  const auto tensors = adapter.tensors();
  ASSERT_EQ(tensors.size(), 12u);
  EXPECT_EQ(tensors[0].name, "model.layers.0.self_attn.q_proj.lora_A.weight");
  EXPECT_EQ(tensors[3].name, "model.layers.0.mlp.down_proj.lora_B.weight");
  EXPECT_EQ(tensors[2].tensor.sizes(), (std::vector<std::int64_t>{4, 40}));
  EXPECT_EQ(tensors[3].tensor.sizes(), (std::vector<std::int64_t>{24, 4}));
  EXPECT_EQ(adapter.count(), 3 * (4 * 24 + 24 * 4 + 4 * 40 + 24 * 4));
  EXPECT_TRUE(adapter.is_zero());
  EXPECT_EQ(adapter.at(1, Projection::q).scale, 2);
  const double bound = 1 / std::sqrt(40.0);  // kaiming_uniform_(a = sqrt(5)) over 40 inputs
  EXPECT_LE(tensors[2].tensor.abs().max().item<double>(), bound);
  EXPECT_GT(tensors[2].tensor.abs().max().item<double>(), 0.9 * bound);
  EXPECT_NEAR(tensors[2].tensor.mean().item<double>(), 0, 0.2 * bound);
  // A weight's start does not depend on what else is adapted, but on the seed.
  options.targets = targets_from("all");
  EXPECT_TRUE(make_adapter(config, options, 1, like)
                  .at(2, Projection::down)
                  .a.equal(adapter.at(2, Projection::down).a));
  EXPECT_FALSE(make_adapter(config, options, 2, like)
                   .at(2, Projection::down)
                   .a.equal(adapter.at(2, Projection::down).a));
}

TEST(Lora, MergedForAWhileTheWeightsComeBackBitForBit) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto config = small_config();
    Decoder decoder = small_decoder(config, type);
    decoder.adapt(lively_adapter(config, "all", decoder.embedding()));
    const NamedTensors before = decoder.parameters();
    std::vector<Tensor> bits;
    for (const auto& p : before) bits.push_back(p.tensor.clone());
    const std::vector<std::vector<std::int32_t>> prompts{{1, 5, 9}, {1, 5, 9, 33, 2}};
    const GenerateOptions generation{.max_new_tokens = 6};
    const auto plan = plan_batch(shared_rows(), at::kCPU, {});
    const double beside = decoder.loss(plan, LossMode::fused).item<double>();
    EXPECT_THROW(generate(decoder, prompts, generation), RunError);
    {
      const MergedAdapter merged(decoder);
      EXPECT_EQ(decoder.adapter(), nullptr);
      EXPECT_EQ(generate(decoder, prompts, generation).rows.size(), 2u);
      EXPECT_NEAR(decoder.loss(plan, LossMode::fused).item<double>(), beside,
                  type == at::kDouble ? 1e-12 : 1e-5);
    }
    ASSERT_NE(decoder.adapter(), nullptr);
    for (std::size_t i = 0; i < bits.size(); ++i) {
      EXPECT_TRUE(decoder.parameters()[i].tensor.is_same(before[i].tensor)) << before[i].name;
      EXPECT_TRUE(before[i].tensor.equal(bits[i])) << before[i].name;
    }
    EXPECT_EQ(decoder.loss(plan, LossMode::fused).item<double>(), beside);
    decoder.merge();
    EXPECT_EQ(decoder.adapter(), nullptr);
    EXPECT_TRUE(before[1].tensor.equal(bits[1]));
    EXPECT_NEAR(decoder.loss(plan, LossMode::fused).item<double>(), beside,
                type == at::kDouble ? 1e-12 : 1e-5);
  }
}

TEST(Lora, NarrowTypesAreNear) {
  const auto config = small_config();
  Decoder wide = small_decoder(config, at::kFloat);
  const Adapter adapter = lively_adapter(config, "all", wide.embedding());
  wide.adapt(adapter);
  NamedTensors narrow;
  for (const auto& [name, tensor] : wide.parameters())
    narrow.push_back({name, tensor.to(at::kBFloat16)});
  Decoder decoder(config, narrow);
  Adapter half = adapter;
  NamedTensors factors;
  for (const auto& [name, tensor] : adapter.tensors())
    factors.push_back({name, tensor.to(at::kBFloat16)});
  half.replace(factors);
  decoder.adapt(half);
  const auto plan = plan_batch(shared_rows(), at::kCPU, {});
  const double want = wide.loss(plan, LossMode::fused).item<double>();
  EXPECT_NEAR(decoder.loss(plan, LossMode::fused).item<double>(), want, 0.05 * want);
  for (const auto& g : factor_gradients(decoder, plan)) EXPECT_EQ(g.scalar_type(), at::kBFloat16);
}

TEST(Lora, BadOptionsAndAdaptersThatDoNotFitAreRefused) {
  EXPECT_THROW(targets_from("q_proj,qproj"), UsageError);
  EXPECT_EQ(targets_text(targets_from(" v_proj, q_proj")), "q_proj,v_proj");
  EXPECT_EQ(targets_from("all").size(), static_cast<std::size_t>(projections_a_layer));
  const Tensor like = at::empty({1});
  const auto config = small_config();
  const auto bad = [&](LoraOptions options) {
    EXPECT_THROW(make_adapter(config, options, 1, like), UsageError);
  };
  bad({.rank = 0, .targets = targets_from("all")});
  bad({.rank = 2, .alpha = 0, .targets = targets_from("all")});
  bad({.rank = 2, .targets = {}});
  bad({.rank = 2, .targets = targets_from("all"), .dropout = 1});
  Decoder decoder = small_decoder(config);
  auto other = config;
  other.hidden_size = 48;
  EXPECT_THROW(decoder.adapt(lively_adapter(other, "q_proj", like)), DataError);
  other = config;
  other.layers = 2;
  EXPECT_THROW(decoder.adapt(lively_adapter(other, "q_proj", like)), DataError);
}

}  // namespace
}  // namespace seawall
