#include "seawall/model/peft.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "model/json_fields.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/options.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view prefix = "base_model.model.";  // of every name in a PEFT file
constexpr std::uint64_t max_config = std::uint64_t{4} << 20;

/// Fields that say nothing of what the adapter computes.
const std::set<std::string_view> silent{
    "auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version",      "revision",
    "task_type",    "ensure_weight_tying",     "megatron_core",  "qalora_group_size", "eva_config",
    "loftq_config", "runtime_config",          "layers_pattern"};
/// Fields that are read.
const std::set<std::string_view> known{"peft_type",           "r",
                                       "lora_alpha",          "lora_dropout",
                                       "target_modules",      "rank_pattern",
                                       "use_rslora",          "bias",
                                       "alpha_pattern",       "init_lora_weights",
                                       "layers_to_transform", "use_dora",
                                       "modules_to_save",     "exclude_modules"};

bool is_off(const json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
         ((value.is_array() || value.is_object()) && value.empty());
}

/// Whether a key of a pattern fits a module: PEFT reads it as a regular expression for the end of
/// the name, from a dot on.
bool pattern_fits(const JsonFields& fields, const char* field, const std::string& key,
                  const std::string& module) {
  if (key.find_first_of("^$*+?()[]{}|\\") == std::string::npos)
    return module == key || module.ends_with("." + key);
  constexpr std::size_t longest = 500;
  if (key.size() > longest) fields.fail(std::string(field) + ": a pattern of over 500 characters");
  try {
    return std::regex_match(module, std::regex("(.*\\.)?(" + key + ")"));
  } catch (const std::regex_error&) {
    fields.fail(std::string(field) + ": `" + shown(key) +
                "` is no regular expression that is read here; write the modules' names instead");
  }
}

/// The number that a pattern gives for a module, or `fallback`.
double of_pattern(const JsonFields& fields, const char* field, const std::string& module,
                  double fallback) {
  if (!fields.given(field)) return fallback;
  const auto& table = fields.at(field);
  if (!table.is_object()) fields.fail(std::string(field) + ": want an object of numbers");
  double value = fallback;
  bool found = false;
  for (const auto& [key, number] : table.items()) {
    if (!number.is_number() || !(number.get<double>() > 0))
      fields.fail(std::string(field) + ": `" + shown(key) + "`: want a number above 0");
    if (!pattern_fits(fields, field, key, module)) continue;
    if (found && value != number.get<double>())
      fields.fail(std::string(field) + ": more than one entry fits " + module +
                  ", and they differ; keep one");
    value = number.get<double>();
    found = true;
  }
  return value;
}

/// Refuses what this does not compute.
void check_fields(const JsonFields& fields, const json& config) {
  if (const auto type = fields.text("peft_type", "none"); type != "LORA")
    fields.fail("peft_type: want LORA, found " + shown(type));
  if (fields.given("init_lora_weights") && config["init_lora_weights"].is_string()) {
    const auto init = config["init_lora_weights"].get<std::string>();
    if (init != "gaussian" && init != "eva" && init != "orthogonal")
      fields.fail("init_lora_weights: `" + shown(init) +
                  "` changes the base weights as well; convert it with PEFT's save_pretrained("
                  "path_initial_model_for_weight_conversion=...)");
  }
  for (const auto& [name, value] : config.items())
    if (!known.contains(name) && !silent.contains(name) && !is_off(value))
      fields.fail(shown(name) + ": not supported, want it off or absent (plain LoRA is read)");
}

using Targets = std::vector<std::pair<std::int64_t, Projection>>;
using Factors = std::map<std::string, Tensor>;

/// The modules that have factors, block after block.
Targets targets_in(const Factors& factors, const LlamaConfig& config) {
  Targets out;
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    for (const auto p : projections_of(config))
      if (factors.contains(module_name(layer, p) + ".lora_A.weight")) out.emplace_back(layer, p);
  return out;
}

/// The modules that the config names, block after block. A regular expression, and a list of which
/// others are taken out, need no reading: the tensors' names say which modules there are.
Targets targets_of(const JsonFields& fields, const Factors& factors, const LlamaConfig& config) {
  if (!fields.given("target_modules")) fields.fail("target_modules is missing, want a list");
  const auto& given = fields.at("target_modules");
  const bool everything = given == "all-linear";
  if (!given.is_array() && !given.is_string())
    fields.fail("target_modules: want a list of names, or a regular expression");
  const auto set = [&](const char* name) { return fields.given(name) && !is_off(fields.at(name)); };
  if ((given.is_string() && !everything) || set("exclude_modules") || set("modules_to_save"))
    return targets_in(factors, config);
  std::set<std::int64_t> layers;
  if (fields.given("layers_to_transform")) {
    const auto& only = fields.at("layers_to_transform");
    for (const auto& l : only.is_array() ? only : json::array({only})) {
      if (!l.is_number_integer()) fields.fail("layers_to_transform: want integers");
      layers.insert(l.get<std::int64_t>());
    }
  }
  Targets out;
  std::set<std::string> used{"lm_head", "embed_tokens"};  // those are merged: see merge_peft
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    if (!layers.empty() && !layers.contains(layer)) continue;
    for (const auto p : projections_of(config)) {
      const std::string module = module_name(layer, p);
      bool wanted = everything;
      for (const auto& name : everything ? json::array() : given) {
        if (!name.is_string()) fields.fail("target_modules: want texts in the list");
        const auto text = name.get<std::string>();
        if (module != text && !module.ends_with("." + text)) continue;
        wanted = true;
        used.insert(text);
      }
      if (wanted) out.emplace_back(layer, p);
    }
  }
  for (const auto& name : everything ? json::array() : given)
    if (!used.contains(name.get<std::string>()))
      fields.fail("target_modules: `" + shown(name.get<std::string>()) +
                  "` is no projection of this model; these can be adapted: " +
                  targets_text(projections_of(config)));
  return out;
}

std::size_t place_of(std::int64_t layer, Projection p) {
  return static_cast<std::size_t>(layer * projections_a_layer + static_cast<std::int64_t>(p));
}

/// One number for most modules; a pattern for the others.
json pattern_of(const Adapter& adapter, double common, auto&& value_of) {
  json pattern = json::object();
  for (std::size_t i = 0; i < adapter.factors.size(); ++i) {
    const auto& f = adapter.factors[i];
    if (!f.on() || static_cast<double>(value_of(f)) == common) continue;
    const auto layer = static_cast<std::int64_t>(i) / projections_a_layer;
    pattern["^" + module_name(layer, static_cast<Projection>(i % projections_a_layer))] =
        value_of(f);
  }
  return pattern;
}

}  // namespace

bool is_peft_folder(const fs::path& folder) { return fs::exists(folder / adapter_config); }

Adapter adapter_from(const std::string& config_json, const NamedTensors& factors,
                     const LlamaConfig& config, const std::string& where) {
  const json parsed = parse_json(config_json, where);
  const JsonFields fields(parsed, where);
  check_fields(fields, parsed);
  Adapter adapter;
  auto& options = adapter.options;
  options.rank = fields.integer("r");
  options.alpha = fields.number("lora_alpha", 8);
  options.dropout = fields.number("lora_dropout", 0);
  options.rank_stabilized = fields.flag("use_rslora", false);
  Factors by_name;
  for (const auto& [name, tensor] : factors) by_name.emplace(name, tensor);
  const auto targets = targets_of(fields, by_name, config);
  for (const auto& [layer, p] : targets)
    if (std::ranges::find(options.targets, p) == options.targets.end())
      options.targets.push_back(p);
  std::ranges::sort(options.targets);
  if (targets.empty() && !factors.empty()) fields.fail("the weights hold no factors of this model");
  try {
    options.check();
  } catch (const UsageError& e) {
    fields.fail(e.what());
  }
  adapter.factors.resize(static_cast<std::size_t>(config.layers * projections_a_layer));
  const auto take = [&](const std::string& name) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) fields.fail("the weights lack " + name + ", which it names");
    Tensor tensor = found->second;
    by_name.erase(found);
    return tensor;
  };
  for (const auto& [layer, p] : targets) {
    const std::string module = module_name(layer, p);
    auto& f = adapter.factors[place_of(layer, p)];
    f.a = take(module + ".lora_A.weight");
    f.b = take(module + ".lora_B.weight");
    const double rank =
        of_pattern(fields, "rank_pattern", module, static_cast<double>(options.rank));
    if (f.a.dim() != 2 || static_cast<double>(f.a.size(0)) != rank)
      fields.fail(module + ": r is " + detail::to_text(rank) + ", but lora_A has " +
                  std::to_string(f.a.dim() > 0 ? f.a.size(0) : 0) + " rows");
    f.alpha = of_pattern(fields, "alpha_pattern", module, options.alpha);
    f.scale = lora_scale(f.alpha, f.a.size(0), options.rank_stabilized);
  }
  if (!by_name.empty())
    fields.fail("the weights hold " + shown(by_name.begin()->first) + " (" +
                std::to_string(by_name.size()) + " such), which it does not name");
  check_adapter(config, adapter);
  return adapter;
}

std::string adapter_config_json(const Adapter& adapter, const std::string& base) {
  const auto& o = adapter.options;
  json targets = json::array();
  for (const auto p : o.targets) targets.push_back(projection_name(p));
  const auto layers = static_cast<std::int64_t>(adapter.factors.size()) / projections_a_layer;
  if (adapter.tensors().size() != 2 * o.targets.size() * static_cast<std::size_t>(layers)) {
    targets = json::array();  // not every block: whole names
    for (const auto& name : adapter.weight_names())
      targets.push_back(name.substr(0, name.rfind('.')));
  }
  const json config{
      {"peft_type", "LORA"},
      {"task_type", "CAUSAL_LM"},
      {"base_model_name_or_path", base},
      {"r", o.rank},
      {"lora_alpha", o.alpha},
      {"lora_dropout", o.dropout},
      {"target_modules", targets},
      {"use_rslora", o.rank_stabilized},
      {"rank_pattern", pattern_of(adapter, static_cast<double>(o.rank),
                                  [](const LoraFactors& f) { return f.rank(); })},
      {"alpha_pattern", pattern_of(adapter, o.alpha, [](const LoraFactors& f) { return f.alpha; })},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"use_dora", false},
      {"modules_to_save", nullptr},
      {"init_lora_weights", true},
      {"inference_mode", true}};
  return config.dump(2) + "\n";
}

void write_peft(const fs::path& folder, const Adapter& adapter, const std::string& base) {
  NamedTensors factors;
  for (const auto& [name, tensor] : adapter.tensors())
    factors.push_back({std::string(prefix) + name, tensor.detach().to(at::kCPU)});
  write_safetensors(folder / adapter_weights, factors, {{"format", "pt"}});
  write_file_atomically(folder / adapter_config, adapter_config_json(adapter, base));
}

}  // namespace seawall
