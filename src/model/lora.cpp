#include "seawall/model/lora.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"

namespace seawall {
namespace {

constexpr std::array<std::string_view, projections_a_layer> names{
    "q_proj",  "k_proj",    "v_proj",   "o_proj",      "gate_proj",
    "up_proj", "down_proj", "qkv_proj", "gate_up_proj"};
constexpr std::array<Part, projections_a_layer> parts{
    Part::q, Part::k, Part::v, Part::o, Part::gate, Part::up, Part::down, Part::qkv, Part::gate_up};

std::string shape_text(const Tensor& tensor) {
  std::ostringstream out;
  out << tensor.sizes() << ' ' << tensor.dtype();
  return out.str();
}

/// Calls `use(layer, projection, factors)` for every weight that has factors.
void each(auto&& adapter, auto&& use) {
  const auto layers = static_cast<std::int64_t>(adapter.factors.size()) / projections_a_layer;
  for (std::int64_t layer = 0; layer < layers; ++layer)
    for (std::int64_t p = 0; p < projections_a_layer; ++p)
      if (auto& f = adapter.factors[static_cast<std::size_t>(layer * projections_a_layer + p)];
          f.on())
        use(layer, static_cast<Projection>(p), f);
}

}  // namespace

std::string_view projection_name(Projection projection) {
  return names[static_cast<std::size_t>(projection)];
}

std::string module_name(std::int64_t layer, Projection projection) {
  return "model.layers." + std::to_string(layer) +
         (projection < Projection::gate || projection == Projection::qkv ? ".self_attn."
                                                                         : ".mlp.") +
         std::string(projection_name(projection));
}

std::string weight_of_factor(std::string_view name) {
  for (const std::string_view ending : {".lora_A.weight", ".lora_B.weight"})
    if (name.ends_with(ending)) {
      name.remove_suffix(ending.size());
      return std::string(name) + ".weight";
    }
  return std::string(name);
}

std::vector<std::int64_t> projection_shape(const LlamaConfig& c, Projection projection) {
  const Part part = parts.at(static_cast<std::size_t>(projection));
  return c.family->has(part) ? c.part_shape(part) : std::vector<std::int64_t>{};
}

std::vector<Projection> projections_of(const LlamaConfig& config) {
  std::vector<Projection> out;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (config.family->has(parts[i])) out.push_back(static_cast<Projection>(i));
  return out;
}

void LoraOptions::check() const {
  if (rank < 1) throw UsageError("lora.rank: want 1 or more, got " + std::to_string(rank));
  if (!(alpha > 0 && std::isfinite(alpha)))
    throw UsageError("lora.alpha: want a number above 0, got " + std::to_string(alpha));
  if (!(dropout >= 0 && dropout < 1))
    throw UsageError("lora.dropout: want a number in [0, 1), got " + std::to_string(dropout));
  if (targets.empty())
    throw UsageError("lora.targets: want at least one projection, or `all`; got none");
}

std::vector<Projection> targets_from(std::string_view words) {
  std::array<bool, projections_a_layer> chosen{};
  for (std::string_view rest = words; !rest.empty();) {
    auto word = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    word.remove_prefix(std::min(word.find_first_not_of(' '), word.size()));
    word = word.substr(0, word.find_last_not_of(' ') + 1);
    if (word.empty()) continue;
    const auto found = std::ranges::find(names, word);
    if (word == "all")
      chosen.fill(true);
    else if (found != names.end())
      chosen[static_cast<std::size_t>(found - names.begin())] = true;
    else
      throw UsageError(
          "lora.targets: want `all`, or names of q_proj, k_proj, v_proj, o_proj, "
          "gate_proj, up_proj, down_proj, qkv_proj, gate_up_proj with commas between, got `" +
          std::string(word) + "`");
  }
  std::vector<Projection> out;
  for (std::size_t i = 0; i < chosen.size(); ++i)
    if (chosen[i]) out.push_back(static_cast<Projection>(i));
  return out;
}

std::string targets_text(const std::vector<Projection>& targets) {
  std::string text;
  for (const auto p : targets) text += (text.empty() ? "" : ",") + std::string(projection_name(p));
  return text;
}

double lora_scale(double alpha, std::int64_t rank, bool rank_stabilized) {
  const double r = static_cast<double>(rank);
  return alpha / (rank_stabilized ? std::sqrt(r) : r);
}

Tensor LoraFactors::product() const {
  const auto wide = a.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::matmul(b.to(wide), a.to(wide)).mul_(scale);
}

std::int64_t Adapter::count() const {
  std::int64_t n = 0;
  each(*this, [&](auto, auto, const LoraFactors& f) { n += f.a.numel() + f.b.numel(); });
  return n;
}

NamedTensors Adapter::tensors() const {
  NamedTensors out;
  each(*this, [&](std::int64_t layer, Projection p, const LoraFactors& f) {
    const std::string name = module_name(layer, p);
    out.push_back({name + ".lora_A.weight", f.a});
    out.push_back({name + ".lora_B.weight", f.b});
  });
  return out;
}

std::vector<double> Adapter::scales() const {
  std::vector<double> out;
  for (const LoraFactors& f : factors)
    if (f.on()) out.insert(out.end(), 2, f.scale);
  return out;
}

std::vector<std::string> Adapter::weight_names() const {
  std::vector<std::string> out;
  each(*this, [&](std::int64_t layer, Projection p, const LoraFactors&) {
    out.push_back(module_name(layer, p) + ".weight");
  });
  return out;
}

void Adapter::replace(const NamedTensors& given) {
  const auto mine = tensors();
  if (mine.size() != given.size())
    throw DataError("adapter: want " + std::to_string(mine.size()) + " factors, got " +
                    std::to_string(given.size()));
  std::size_t next = 0;
  const auto take = [&](Tensor& to) {
    const auto& [name, tensor] = given[next];
    if (name != mine[next].name || tensor.sizes() != to.sizes())
      throw DataError("adapter: want " + mine[next].name + " " + shape_text(to) + ", got " + name +
                      " " + shape_text(tensor));
    to = tensor;
    ++next;
  };
  each(*this, [&](auto, auto, LoraFactors& f) {
    take(f.a);
    take(f.b);
  });
}

std::vector<Adapter::Pair> Adapter::factor_pairs() const {
  at::NoGradGuard no_grad;
  std::vector<Pair> out;
  each(*this, [&](std::int64_t layer, Projection p, const LoraFactors& f) {
    out.push_back({module_name(layer, p) + ".weight",
                   f.b.detach().to(at::kCPU, at::kDouble).mul(f.scale),
                   f.a.detach().to(at::kCPU, at::kDouble)});
  });
  return out;
}

bool Adapter::is_zero() const {
  bool zero = true;
  each(*this, [&](auto, auto, const LoraFactors& f) {
    zero = zero && !f.b.detach().ne(0).any().template item<bool>();
  });
  return zero;
}

/// The targets that the model has: all that it has for `all`, else each of them or an error.
static std::vector<Projection> targets_of_model(const LlamaConfig& config,
                                                const std::vector<Projection>& targets) {
  auto there = projections_of(config);
  if (targets.size() == projections_a_layer) return there;
  for (const auto p : targets)
    if (std::ranges::find(there, p) == there.end())
      throw UsageError("lora.targets: family " + std::string(config.family->type) + " has no " +
                       std::string(projection_name(p)) + "; want `all` or some of " +
                       targets_text(there));
  return targets;
}

/// Errors: UsageError if no matrix of the targets is as wide and as high as the rank.
static void check_rank(const LlamaConfig& config, std::int64_t rank,
                       const std::vector<Projection>& targets) {
  std::int64_t most = 0;
  for (const auto p : targets) most = std::max(most, std::ranges::min(projection_shape(config, p)));
  if (rank > most)
    throw UsageError("lora.rank: want at most " + std::to_string(most) +
                     ", the smaller side of the largest matrix of " + targets_text(targets) +
                     "; got " + std::to_string(rank));
}

Adapter make_adapter(const LlamaConfig& config, const LoraOptions& options, std::uint64_t seed,
                     const Tensor& like) {
  options.check();
  at::NoGradGuard no_grad;
  const Rng rng = Rng(seed).stream("lora");
  const auto to = like.options().requires_grad(false);
  Adapter adapter;
  adapter.options = options;
  adapter.options.targets = targets_of_model(config, options.targets);
  check_rank(config, options.rank, adapter.options.targets);
  adapter.factors.resize(static_cast<std::size_t>(config.layers * projections_a_layer));
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    for (const auto p : adapter.options.targets) {
      const auto shape = projection_shape(config, p);
      Rng stream = rng.stream(module_name(layer, p));
      // kaiming_uniform_(a = sqrt(5)): gain sqrt(1/3), bound gain * sqrt(3 / in).
      const double bound = 1 / std::sqrt(static_cast<double>(shape[1]));
      const Tensor a = at::empty({options.rank, shape[1]}, at::kDouble);
      double* values = a.mutable_data_ptr<double>();
      for (std::int64_t i = 0; i < a.numel(); ++i) values[i] = bound * (2 * stream.uniform() - 1);
      auto& f = adapter.factors[static_cast<std::size_t>(layer * projections_a_layer +
                                                         static_cast<std::int64_t>(p))];
      f.a = a.to(to);
      f.b = at::zeros({shape[0], options.rank}, to);
      f.alpha = options.alpha;
      f.scale = lora_scale(options.alpha, options.rank, options.rank_stabilized);
    }
  return adapter;
}

void check_adapter(const LlamaConfig& config, const Adapter& adapter) {
  if (adapter.factors.size() != static_cast<std::size_t>(config.layers * projections_a_layer))
    throw DataError("adapter: it is of a model with " +
                    std::to_string(adapter.factors.size() / projections_a_layer) +
                    " layers, this one has " + std::to_string(config.layers));
  each(adapter, [&](std::int64_t layer, Projection p, const LoraFactors& f) {
    const auto shape = projection_shape(config, p);
    if (shape.empty())
      throw DataError("adapter: " + module_name(layer, p) + " is not in a model of family " +
                      std::string(config.family->type));
    if (f.a.dim() != 2 || f.b.dim() != 2 || f.a.size(1) != shape[1] || f.b.size(0) != shape[0] ||
        f.a.size(0) != f.b.size(1) || f.a.size(0) < 1)
      throw DataError("adapter: " + module_name(layer, p) + ": factors " + shape_text(f.a) +
                      " and " + shape_text(f.b) + " do not fit a weight of [" +
                      std::to_string(shape[0]) + ", " + std::to_string(shape[1]) +
                      "]; do adapter and model belong together?");
  });
}

Tensor merged_weight(const Tensor& w, const LoraFactors& factors) {
  at::NoGradGuard no_grad;
  const Tensor product = factors.product();
  return product.add_(w.detach()).to(w.scalar_type());
}

}  // namespace seawall
