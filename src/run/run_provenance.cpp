#include "seawall/run/run_provenance.hpp"

#include <ATen/core/Tensor.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/version.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/run.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace {

/// What a `visit` list names, as list_options gives it.
template <class Visit>
std::vector<OptionValue> listed(Visit&& visit) {
  std::vector<OptionValue> out;
  visit([&](const auto& value, const OptionInfo& info) {
    out.push_back({std::string(info.name), detail::to_text(value), "", ""});
  });
  return out;
}

nlohmann::json policy_json(const PolicyDescription& policy) {
  nlohmann::json options = nlohmann::json::object();
  for (const auto& o : policy.options) options[o.name] = o.value;
  return {{"name", std::string(policy.name)}, {"options", options}};
}

bool is_probes(const std::string& set) {
  return std::ranges::any_of(probe_sets, [&](ProbeSet one) { return set == probe_set_name(one); });
}

/// The options of a task of the user's own, with their values.
std::vector<OptionValue> task_options(const RunSpec& spec) {
  return spec.task.from_files() ? list_options(spec.task) : std::vector<OptionValue>();
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::vector<std::pair<std::string, std::string>> versions_here() {
  static constexpr std::array cpus{"portable", "avx2", "avx512", "avx512bf16"};
  return {{"seawall", program_version},
          {"libtorch", TORCH_VERSION},
          {"hdf5", h5::version()},
          {"cpu", cpus.at(static_cast<std::size_t>(cpu_in_use()))}};
}

void hash_options(Sha256& sha, const RunSpec& spec, const AnyAttack& attack,
                  const std::vector<PolicyDescription>& stack) {
  sha.field(program_version);
  const RunSpec usual;
  const auto defaults = listed([&](auto&& field) { RunSpec::visit_key(usual, field); });
  auto at = defaults.begin();
  RunSpec::visit_key(spec, [&](const auto& value, const OptionInfo& info) {
    const std::string text = detail::to_text(value);
    const bool is_default = (at++)->value == text;
    if (!info.in_key_if_set || !is_default) sha.field(info.name).field(text);
  });
  for (const auto& o : task_options(spec)) sha.field(o.name).field(o.value);
  for (const auto& [name, value] : remote_fields(spec)) sha.field(name).field(value);
  for (const auto& [name, value] : spec.plug_ins.fields(spec.evaluation.judges))
    sha.field(name).field(value);
  sha.field(policy_json(attack.describe()).dump());
  for (const auto& p : stack) sha.field(policy_json(p).dump());
}

void hash_state(Sha256& sha, const std::string& group, const StateGroup& state) {
  sha.field("state").field(group);
  for (const auto& [name, text] : state.texts) sha.field(name).field(text);
  for (const auto& [name, number] : state.numbers) sha.field(name).field(detail::to_text(number));
  for (const auto& [name, tensor] : state.tensors) {
    const Tensor bytes = tensor.to(at::kCPU).contiguous();
    sha.field(name).field({static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()});
  }
}

std::string options_json(const RunSpec& spec, const AnyAttack& attack,
                         const std::vector<PolicyDescription>& stack, const Scenario& scenario) {
  nlohmann::json config{{"seawall", program_version},
                        {"attack", policy_json(attack.describe())},
                        {"mitigations", nlohmann::json::array()}};
  config["options"]["attack"] = attack.name();
  for (const auto& o : list_options(spec)) config["options"][o.name] = o.value;
  for (const auto& o : task_options(spec)) config["options"][o.name] = o.value;
  for (const auto& [name, value] : remote_fields(spec)) config["options"][name] = value;
  for (const auto& [name, value] : spec.plug_ins.fields(spec.evaluation.judges))
    config["options"][name] = value;
  std::string names;
  for (const auto& p : stack) {
    config["mitigations"].push_back(policy_json(p));
    names += (names.empty() ? "" : ",") + p.name;
  }
  config["options"]["mitigate"] = names;
  if (const auto* files = dynamic_cast<const FileScenario*>(&scenario))
    for (const auto& file : files->files())
      config["files"][file.option] = {{"format", file.report.format},
                                      {"read", file.summary()},
                                      {"first_rejection", file.report.first_rejection},
                                      {"notes", file.notes()}};
  return config.dump();
}

void count_rows(const Dataset& rows, RunInfo& info) {
  info.numbers.emplace_back("rows", static_cast<double>(rows.size()));
  for (const auto kind :
       {RowKind::harmful, RowKind::identity_shift, RowKind::safe, RowKind::benign})
    info.numbers.emplace_back("rows_" + std::string(row_kind_name(kind)),
                              static_cast<double>(rows.count(kind)));
  if (const auto task = rows.count(RowKind::task); task > 0)
    info.numbers.emplace_back("rows_task", static_cast<double>(task));
}

MergedSystem merged_system(const ChatTemplate& chat, const Dataset& rows, const AskedSets& sets,
                           const std::vector<Condition>& conditions,
                           const std::function<Dialogue(const Probe&, const Condition&)>& ask) {
  MergedSystem merged;
  if (!chat.merges_system()) return merged;
  const auto has = [](const Dialogue& d) { return !d.first(Role::system).empty(); };
  for (const auto& row : rows.rows) merged.rows += has(row.dialogue);
  for (const auto& [set, probes] : sets)
    for (const auto& probe : *probes)
      merged.probes += std::ranges::any_of(
          conditions, [&](const Condition& condition) { return has(ask(probe, condition)); });
  return merged;
}

Provenance provenance_of(const Dataset& rows, const AskedSets& sets,
                         const std::vector<Condition>& conditions,
                         const std::function<Dialogue(const Probe&, const Condition&)>& ask) {
  Provenance out;
  out.add_rows(rows);
  for (const auto& [set, probes] : sets) {
    std::vector<Dialogue> armed;
    for (const auto& condition : conditions)
      for (const auto& probe : *probes) armed.push_back(ask(probe, condition));
    out.add_probes(probe_set_name(set), *probes, armed);
  }
  return out;
}

void check_provenance(const Provenance& provenance, bool allow_overlap) {
  if (allow_overlap) return;
  for (const auto& shared : provenance.overlaps()) {
    const std::string rest = "; take them out of one of the files, or give --allow-overlap";
    const std::string many = std::to_string(shared.count);
    if (is_probes(shared.b) && !is_probes(shared.a))
      throw DataError("the training rows (" + shared.a + ") hold " + many + " of the " + shared.b +
                      " probes (first: row " + shared.first_a + ", probe " + shared.first_b + ")" +
                      rest);
    throw DataError("the sets " + shared.a + " and " + shared.b + " share " + many +
                    " prompts (first: " + shared.first_a + " and " + shared.first_b + ")" + rest);
  }
}

void record_provenance(const Provenance& provenance, RunInfo& info) {
  const auto& sets = provenance.sets();
  double probes = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    info.hashes.emplace_back("set_" + sets[i].name, sets[i].sha256);
    info.numbers.emplace_back("repeated_" + sets[i].name, static_cast<double>(sets[i].repeated));
    for (std::size_t j = i + 1; j < sets.size(); ++j) {
      const auto shared = static_cast<double>(provenance.shared(i, j));
      info.numbers.emplace_back("overlap_" + sets[i].name + "_" + sets[j].name, shared);
      if (is_probes(sets[j].name) && !is_probes(sets[i].name)) probes += shared;
    }
  }
  info.numbers.emplace_back("overlapping_probes", probes);
}

std::string cost_name(const std::string& kind, std::string_view whose, std::string_view what) {
  return h5::legal_name(kind + "_" + std::string(whose) + "_" + std::string(what));
}

void record_files(const Scenario& scenario, RunInfo& info) {
  const auto* files = dynamic_cast<const FileScenario*>(&scenario);
  if (files == nullptr) return;
  for (const auto& file : files->files()) {
    const std::string name = "file_" + file.option;
    info.hashes.emplace_back(name, file.report.sha256);
    const auto put = [&](const char* what, std::size_t count) {
      info.numbers.emplace_back(name + "_" + what, static_cast<double>(count));
    };
    put("records", file.report.rows);
    put("rejected", file.report.rejected);
    put("rated_too_low", file.report.low_rated);
    put("without_loss", file.report.no_loss);
    put("prefilled", file.report.prefilled);
    put("left_out_by_phrase", file.report.filtered);
    put("held_out", file.report.held_out);
    put("kept", file.kept);
  }
}

void Run::add_policy_rows(std::string_view policy, Pool pool, const Dataset& rows) {
  Dataset named = rows;
  named.name = std::string(policy) + "_" + std::string(pool_name(pool));
  const auto alike = [&](const Dataset& other) { return other.name.starts_with(named.name); };
  const std::string hash = named.content_hash();
  if (std::ranges::any_of(drawn_, [&](const Dataset& other) {
        return alike(other) && other.content_hash() == hash;
      }))
    return;  // drawn again: before training and in it
  if (const auto others = std::ranges::count_if(drawn_, alike))
    named.name += "_" + std::to_string(others + 1);
  if (recording_) {  // else prepare() looks at them
    check_policy_rows(named.name, named);
    RunInfo& info = file().info();
    const std::size_t here = provenance_.sets().size() - 1;
    info.hashes.emplace_back("set_" + named.name, provenance_.sets()[here].sha256);
    for (std::size_t i = 0; i < here; ++i)
      info.numbers.emplace_back("overlap_" + provenance_.sets()[i].name + "_" + named.name,
                                static_cast<double>(provenance_.shared(i, here)));
    info.numbers.emplace_back("rows_of_" + named.name, static_cast<double>(named.size()));
  }
  drawn_.push_back(std::move(named));
}

void Run::check_policy_rows(const std::string& name, const Dataset& rows) {
  provenance_.add_rows(name, rows);
  if (spec_.data.allow_overlap) return;
  for (const auto& shared : provenance_.overlaps())
    if (shared.a == name || shared.b == name)
      for (const auto set : probe_sets)
        if (shared.a == probe_set_name(set) || shared.b == probe_set_name(set))
          throw DataError("the rows hold " + std::to_string(shared.count) + " of the " +
                          probe_set_name(set) + " probes (first: " + shared.first_a + " and " +
                          shared.first_b +
                          "); take them out of one of the files, or give --allow-overlap");
}

}  // namespace seawall
