#include "seawall/run/run_provenance.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/version.hpp"
#include "seawall/run/remote_setup.hpp"
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

bool is_probes(const std::string& set) { return set == "harmfulness" || set == "utility"; }

}  // namespace

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

void hash_options(Sha256& sha, const RunSpec& spec, const AnyAttack& attack,
                  const std::vector<PolicyDescription>& stack) {
  sha.field(program_version);
  for (const auto& o : listed([&](auto&& field) { RunSpec::visit_key(spec, field); }))
    sha.field(o.name).field(o.value);
  for (const auto& [name, value] : remote_fields(spec)) sha.field(name).field(value);
  for (const auto& [name, value] : spec.plug_ins.fields(spec.evaluation.judges))
    sha.field(name).field(value);
  sha.field(policy_json(attack.describe()).dump());
  for (const auto& p : stack) sha.field(policy_json(p).dump());
}

std::string options_json(const RunSpec& spec, const AnyAttack& attack,
                         const std::vector<PolicyDescription>& stack, const Scenario& scenario) {
  nlohmann::json config{{"seawall", program_version},
                        {"attack", policy_json(attack.describe())},
                        {"mitigations", nlohmann::json::array()}};
  config["options"]["attack"] = attack.name();
  for (const auto& o : list_options(spec)) config["options"][o.name] = o.value;
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
}

MergedSystem merged_system(const ChatTemplate& chat, const Dataset& rows, const Scenario& scenario,
                           const std::vector<Condition>& conditions,
                           const std::function<Dialogue(const Probe&, const Condition&)>& ask) {
  MergedSystem merged;
  if (!chat.merges_system()) return merged;
  const auto has = [](const Dialogue& d) { return !d.first(Role::system).empty(); };
  for (const auto& row : rows.rows) merged.rows += has(row.dialogue);
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility})
    for (const auto& probe : scenario.probes(set))
      merged.probes += std::ranges::any_of(
          conditions, [&](const Condition& condition) { return has(ask(probe, condition)); });
  return merged;
}

Provenance provenance_of(const Dataset& rows, const Scenario& scenario,
                         const std::vector<Condition>& conditions,
                         const std::function<Dialogue(const Probe&, const Condition&)>& ask) {
  Provenance out;
  out.add_rows(rows);
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility}) {
    const auto& probes = scenario.probes(set);
    if (probes.empty()) continue;
    std::vector<Dialogue> armed;
    for (const auto& condition : conditions)
      for (const auto& probe : probes) armed.push_back(ask(probe, condition));
    out.add_probes(probe_set_name(set), probes, armed);
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

}  // namespace seawall
