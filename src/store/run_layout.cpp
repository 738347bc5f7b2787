#include "store/run_layout.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "store/schema.hpp"

namespace seawall {
namespace {

/// One member of every step.
template <class T>
std::vector<T> column(const std::vector<StepRecord>& steps, T StepRecord::*member) {
  std::vector<T> out;
  out.reserve(steps.size());
  for (const auto& step : steps) out.push_back(step.*member);
  return out;
}

void put_root(SchemaWriter& out, const RunData& run) {
  out.attribute("Conventions", "CF-1.10");
  out.head();
  out.attribute("run_id", run.info.run_id);
  out.attribute("started_utc", run.info.started_utc);
  out.attribute("written_utc", run.written_utc);
  out.attribute("complete", std::int64_t{run.complete});
  out.attribute("seed", static_cast<std::int64_t>(run.info.seed));
  std::set<std::string> taken;
  const auto legal = [&taken](const std::string& wanted) {
    const std::string name = h5::legal_name(wanted);
    std::string free = name;
    for (int n = 2; !taken.insert(free).second; ++n) free = name + "_" + std::to_string(n);
    return free;
  };
  for (const auto& [name, value] : run.info.hashes) out.attribute(legal("hash_" + name), value);
  for (const auto& [name, value] : run.info.versions)
    out.attribute(legal("version_" + name), value);
  for (const auto& [name, value] : run.info.numbers) out.attribute(legal("number_" + name), value);
  // The scalars that tell files apart; they stay coordinates when files are joined.
  out.attribute("coordinates", "arm attack mitigations seed run_id");
  out.text("arm", run.info.arm);
  out.text("attack", run.info.attack);
  out.text("mitigations", run.info.mitigations);
  out.whole("seed", static_cast<std::int64_t>(run.info.seed));
  out.text("run_id", run.info.run_id);
  out.text("config_json", run.info.config_json);
}

/// What policies measured, one column for each name.
void put_measured(SchemaWriter& out, const std::vector<StepRecord>& steps) {
  std::set<std::string> names;
  for (const auto& step : steps)
    for (const auto& [name, value] : step.measured) names.insert(name);
  if (names.empty()) return;
  const std::vector<std::string> columns(names.begin(), names.end());
  std::vector<double> values(steps.size() * columns.size(),
                             std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < steps.size(); ++i)
    for (const auto& [name, value] : steps[i].measured) {
      const auto place = std::lower_bound(columns.begin(), columns.end(), name) - columns.begin();
      values[i * columns.size() + static_cast<std::size_t>(place)] = value;
    }
  out.coordinate("measure", columns);
  out.variable("measured", values);
}

void read_measured(const h5::Reader& reader, std::vector<StepRecord>& steps) {
  if (!reader.has("measured")) return;
  const auto names = reader.texts("measure");
  const auto values = reader.float64("measured");
  if (values.size() != steps.size() * names.size())
    throw DataError(reader.path().string() + ": measured: want a value a step and measure");
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i]))
      steps[i / names.size()].measured.emplace_back(names[i % names.size()], values[i]);
}

void put_steps(SchemaWriter& out, const RunData& run, const RunSwitches& switches) {
  const auto& steps = run.steps;
  if (!run.info.parameter_names.empty()) out.coordinate("parameter", run.info.parameter_names);
  if (steps.empty()) return;
  out.coordinate("step", column(steps, &StepRecord::step));
  out.variable("epoch", column(steps, &StepRecord::epoch));
  out.variable("loss", column(steps, &StepRecord::loss));
  out.variable("penalty", column(steps, &StepRecord::penalty));
  out.variable("lr", column(steps, &StepRecord::lr));
  out.variable("grad_norm", column(steps, &StepRecord::grad_norm));
  out.variable("tokens", column(steps, &StepRecord::tokens));
  out.variable("seconds", column(steps, &StepRecord::seconds));
  out.variable("moved", column(steps, &StepRecord::moved));
  out.variable("drift", column(steps, &StepRecord::drift));
  if (steps.back().stage > 0) out.variable("stage", column(steps, &StepRecord::stage));
  put_measured(out, steps);
  const auto width = run.info.parameter_names.size();
  const auto has_drift = [&](const StepRecord& s) { return s.param_drift.size() == width; };
  if (!switches.param_drift || width == 0 || !std::all_of(steps.begin(), steps.end(), has_drift))
    return;
  std::vector<double> drift;
  drift.reserve(steps.size() * width);
  for (const auto& step : steps)
    drift.insert(drift.end(), step.param_drift.begin(), step.param_drift.end());
  out.variable("param_drift", drift);
}

/// What the steps were made of, as far as steps say so.
void put_rows(SchemaWriter& out, const RunData& run) {
  const auto& rows = run.info.rows;
  std::size_t slots = 0;
  std::int64_t epochs = 0;
  for (const auto& step : run.steps) {
    slots = std::max(slots, step.rows.size());
    epochs = std::max(epochs, step.epoch + 1);
  }
  if (rows.empty() || slots == 0) return;
  const auto places = [](auto count, auto like) {
    std::vector<decltype(like)> out(static_cast<std::size_t>(count));
    std::iota(out.begin(), out.end(), decltype(like){0});
    return out;
  };
  std::vector<std::string> id, kind, text;
  std::vector<std::int64_t> stage;
  for (const TrainedRow& row : rows) {
    id.push_back(h5::storable_text(row.id));
    kind.push_back(row.kind);
    text.push_back(h5::storable_text(row.text));
    stage.push_back(row.stage);
  }
  std::vector<std::int32_t> step_row(run.steps.size() * slots, -1);
  std::vector<float> loss(static_cast<std::size_t>(epochs) * rows.size(),
                          std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    const StepRecord& step = run.steps[i];
    std::ranges::copy(step.rows, step_row.begin() + static_cast<std::ptrdiff_t>(i * slots));
    for (std::size_t r = 0; r < step.rows.size(); ++r)
      loss.at(static_cast<std::size_t>(step.epoch) * rows.size() +
              static_cast<std::size_t>(step.rows[r])) = step.row_loss[r];
  }
  out.coordinate("row", places(rows.size(), std::int64_t{}));
  out.variable("row_id", id);
  out.variable("row_kind", kind);
  out.variable("row_text", text);
  if (stage.back() > 0) out.variable("row_stage", stage);
  out.coordinate("slot", places(slots, std::int32_t{}));
  out.variable("step_row", step_row);
  out.coordinate("training_epoch", places(epochs, std::int64_t{}));
  out.variable("row_loss", loss);
  if (run.info.row_agreement.size() == rows.size())
    out.variable("row_agreement", run.info.row_agreement);
}

void read_rows(const h5::Reader& reader, RunData& run) {
  if (!reader.has("row")) return;
  const auto n = reader.int64("row").size();
  const auto wrong = [&](const char* name) {
    return DataError(reader.path().string() + ": " + name + ": does not fit the rows and steps");
  };
  const auto id = reader.texts("row_id"), kind = reader.texts("row_kind"),
             text = reader.texts("row_text");
  const auto stage =
      reader.has("row_stage") ? reader.int64("row_stage") : std::vector<std::int64_t>(n);
  if (id.size() != n || kind.size() != n || text.size() != n || stage.size() != n)
    throw wrong("row_id");
  for (std::size_t i = 0; i < n; ++i) run.info.rows.push_back({id[i], kind[i], text[i], stage[i]});
  if (reader.has("row_agreement")) run.info.row_agreement = reader.float32("row_agreement");
  if (!run.info.row_agreement.empty() && run.info.row_agreement.size() != n)
    throw wrong("row_agreement");
  const auto step_row = reader.int32("step_row");
  const auto loss = reader.float32("row_loss");
  const auto slots = run.steps.empty() ? 0 : step_row.size() / run.steps.size();
  if (slots * run.steps.size() != step_row.size()) throw wrong("step_row");
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    StepRecord& step = run.steps[i];
    for (std::size_t s = 0; s < slots; ++s) {
      const std::int32_t row = step_row[i * slots + s];
      if (row < 0) continue;
      const auto place = static_cast<std::size_t>(step.epoch) * n + static_cast<std::size_t>(row);
      if (static_cast<std::size_t>(row) >= n || step.epoch < 0 || place >= loss.size())
        throw wrong("step_row");
      step.rows.push_back(row);
      step.row_loss.push_back(loss[place]);
    }
  }
}

void put_spectra(SchemaWriter& out, const Spectra& spectra) {
  if (spectra.names.empty()) return;
  const auto rank = spectra.singular_values.front().size();
  out.coordinate("matrix", spectra.names);
  std::vector<std::int32_t> places(rank);
  std::vector<double> values;
  for (std::size_t i = 0; i < rank; ++i) places[i] = static_cast<std::int32_t>(i);
  for (const auto& row : spectra.singular_values)
    values.insert(values.end(), row.begin(), row.end());
  if (rank > 0) {
    out.coordinate("rank", places);
    out.variable("singular_values", values);
  }
  out.variable("effective_rank", spectra.effective_rank);
}

/// The names of the run; in files before version 3 they are in its configuration alone.
void read_names(const h5::Reader& reader, RunInfo& info) {
  if (reader.has("arm")) {
    info.arm = reader.text("arm");
    info.attack = reader.text("attack");
    info.mitigations = reader.text("mitigations");
    return;
  }
  info.arm = reader.path().stem().string();
  const auto config = parse_json(info.config_json, reader.path().string() + ": config_json");
  const auto name = [](const nlohmann::json& policy) {
    return policy.is_object() ? policy.value("name", "") : std::string();
  };
  if (!config.is_object()) return;
  info.attack = name(config.value("attack", nlohmann::json()));
  for (const auto& policy : config.value("mitigations", nlohmann::json::array()))
    info.mitigations += (info.mitigations.empty() ? "" : ",") + name(policy);
}

void read_root(const h5::Reader& reader, RunData& run) {
  check_kind(reader, run_schema());
  // Files of earlier versions have `/` in some names.
  const auto starts = [](const std::string& name, std::string_view prefix) {
    return name.starts_with(prefix) ? h5::legal_name(name.substr(prefix.size())) : std::string();
  };
  for (const auto& [name, value] : reader.attributes()) {
    const auto* text = std::get_if<std::string>(&value);
    const auto* whole = std::get_if<std::int64_t>(&value);
    const auto* number = std::get_if<double>(&value);
    if (text != nullptr && name == "run_id") run.info.run_id = *text;
    if (text != nullptr && name == "started_utc") run.info.started_utc = *text;
    if (text != nullptr && name == "written_utc") run.written_utc = *text;
    if (whole != nullptr && name == "complete") run.complete = *whole != 0;
    if (whole != nullptr && name == "seed") run.info.seed = static_cast<std::uint64_t>(*whole);
    if (const auto key = starts(name, "hash_"); text != nullptr && !key.empty())
      run.info.hashes.emplace_back(key, *text);
    if (const auto key = starts(name, "version_"); text != nullptr && !key.empty())
      run.info.versions.emplace_back(key, *text);
    if (const auto key = starts(name, "number_"); number != nullptr && !key.empty())
      run.info.numbers.emplace_back(key, *number);
  }
  run.info.config_json = reader.text("config_json");
  read_names(reader, run.info);
}

void read_steps(const h5::Reader& reader, RunData& run) {
  if (reader.has("parameter")) run.info.parameter_names = reader.texts("parameter");
  if (!reader.has("step")) return;
  const auto number = reader.int64("step");
  run.steps.resize(number.size());
  const auto put = [&](const char* name, const auto& values, auto member) {
    if (values.size() != run.steps.size())
      throw DataError(reader.path().string() + ": " + name + ": want a value a step");
    for (std::size_t i = 0; i < values.size(); ++i) run.steps[i].*member = values[i];
  };
  put("step", number, &StepRecord::step);
  put("epoch", reader.int64("epoch"), &StepRecord::epoch);
  put("loss", reader.float64("loss"), &StepRecord::loss);
  if (reader.has("penalty")) put("penalty", reader.float64("penalty"), &StepRecord::penalty);
  if (reader.has("stage")) put("stage", reader.int64("stage"), &StepRecord::stage);
  read_measured(reader, run.steps);
  put("lr", reader.float64("lr"), &StepRecord::lr);
  put("grad_norm", reader.float64("grad_norm"), &StepRecord::grad_norm);
  put("tokens", reader.int64("tokens"), &StepRecord::tokens);
  put("seconds", reader.float64("seconds"), &StepRecord::seconds);
  put("moved", reader.float64("moved"), &StepRecord::moved);
  put("drift", reader.float64("drift"), &StepRecord::drift);
  if (!reader.has("param_drift")) return;
  const auto drift = reader.float64("param_drift");
  const auto width = run.info.parameter_names.size();
  if (drift.size() != number.size() * width)
    throw DataError(reader.path().string() + ": param_drift: want a value a step and parameter");
  for (std::size_t i = 0; i < number.size(); ++i) {
    const auto first = drift.begin() + static_cast<std::ptrdiff_t>(i * width);
    run.steps[i].param_drift.assign(first, first + static_cast<std::ptrdiff_t>(width));
  }
}

void read_spectra(const h5::Reader& reader, Spectra& spectra) {
  if (!reader.has("matrix")) return;
  spectra.names = reader.texts("matrix");
  spectra.effective_rank = reader.float64("effective_rank");
  const auto rows = spectra.names.size();
  const auto values =
      reader.has("singular_values") ? reader.float64("singular_values") : std::vector<double>();
  const auto rank = rows == 0 ? 0 : values.size() / rows;
  if (spectra.effective_rank.size() != rows || rank * rows != values.size())
    throw DataError(reader.path().string() + ": singular_values: want a row a matrix");
  for (std::size_t i = 0; i < rows; ++i) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(i * rank);
    spectra.singular_values.emplace_back(first, first + static_cast<std::ptrdiff_t>(rank));
  }
}

}  // namespace

h5::Writer layout_run(const RunData& run, const RunSwitches& switches) {
  std::size_t bytes = 0;
  for (const auto& record : run.evaluations)
    bytes += record.residual.defined() ? static_cast<std::size_t>(record.residual.numel()) * 4 : 0;
  h5::Writer writer(bytes);
  SchemaWriter out(writer, run_schema());
  put_root(out, run);
  put_steps(out, run, switches);
  put_rows(out, run);
  put_spectra(out, run.spectra);
  layout_evaluations(writer, run, switches);
  return writer;
}

RunData read_run(const std::filesystem::path& path, bool with_residual) {
  const h5::Reader reader(path);
  RunData run;
  read_root(reader, run);
  read_steps(reader, run);
  read_rows(reader, run);
  read_spectra(reader, run.spectra);
  run.evaluations = read_evaluations(reader, with_residual);
  return run;
}

}  // namespace seawall
