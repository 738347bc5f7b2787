#include "run/stage_cache.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <sstream>

#include "seawall/core/cache.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/store/checkpoint.hpp"

namespace seawall {
namespace {

/// The columns of the table of steps.
constexpr std::array columns = std::to_array<double StepRecord::*>(
    {&StepRecord::loss, &StepRecord::penalty, &StepRecord::lr, &StepRecord::grad_norm,
     &StepRecord::seconds, &StepRecord::moved, &StepRecord::drift});
constexpr std::array whole_columns = std::to_array<std::int64_t StepRecord::*>(
    {&StepRecord::step, &StepRecord::epoch, &StepRecord::tokens});
constexpr std::size_t fields = columns.size() + whole_columns.size();

Tensor table(const std::vector<double>& values, std::int64_t rows) {
  const auto width = rows == 0 ? 0 : static_cast<std::int64_t>(values.size()) / rows;
  Tensor out = at::empty({rows, width}, at::kDouble);
  std::copy(values.begin(), values.end(), out.data_ptr<double>());
  return out;
}

StateGroup group_of(const std::vector<StepRecord>& steps) {
  StateGroup group;
  std::vector<double> values, drift, rows, losses;
  std::size_t slots = 0;
  for (const StepRecord& step : steps) slots = std::max(slots, step.rows.size());
  for (const StepRecord& step : steps) {
    for (std::size_t s = 0; s < slots; ++s) {
      rows.push_back(s < step.rows.size() ? step.rows[s] : -1);
      losses.push_back(s < step.rows.size() ? step.row_loss[s] : 0);
    }
    for (const auto member : whole_columns) values.push_back(static_cast<double>(step.*member));
    for (const auto member : columns) values.push_back(step.*member);
    drift.insert(drift.end(), step.param_drift.begin(), step.param_drift.end());
    for (const auto& [name, value] : step.measured)
      group.number(std::to_string(step.step) + ":" + name, value);
  }
  const auto count = static_cast<std::int64_t>(steps.size());
  group.tensor("steps", table(values, count));
  group.tensor("param_drift", table(drift, count));
  group.tensor("step_row", table(rows, count));
  group.tensor("step_row_loss", table(losses, count));
  return group;
}

std::vector<StepRecord> steps_of(const StateGroup& group) {
  const Tensor values = group.tensor("steps"), drift = group.tensor("param_drift"),
               rows = group.tensor("step_row"), losses = group.tensor("step_row_loss");
  std::vector<StepRecord> steps(static_cast<std::size_t>(values.size(0)));
  if (!steps.empty() && values.size(1) != static_cast<std::int64_t>(fields))
    throw DataError("stage: its table of steps has other columns");
  const double* value = values.const_data_ptr<double>();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const auto member : whole_columns) steps[i].*member = static_cast<std::int64_t>(*value++);
    for (const auto member : columns) steps[i].*member = *value++;
    const auto width = static_cast<std::ptrdiff_t>(drift.size(1));
    const double* first = drift.const_data_ptr<double>() + static_cast<std::ptrdiff_t>(i) * width;
    steps[i].param_drift.assign(first, first + width);
    for (std::int64_t s = 0; s < rows.size(1); ++s) {
      const auto at = static_cast<std::int64_t>(i) * rows.size(1) + s;
      if (rows.const_data_ptr<double>()[at] < 0) break;
      steps[i].rows.push_back(static_cast<std::int32_t>(rows.const_data_ptr<double>()[at]));
      steps[i].row_loss.push_back(static_cast<float>(losses.const_data_ptr<double>()[at]));
    }
  }
  for (const auto& [key, number] : group.numbers) {
    const auto colon = key.find(':');
    const auto step = static_cast<std::size_t>(std::stoll(key.substr(0, colon)));
    if (step >= 1 && step <= steps.size())
      steps[step - 1].measured.emplace_back(key.substr(colon + 1), number);
  }
  return steps;
}

}  // namespace

std::string drawn_text(const std::vector<DrawnRows>& drawn) {
  std::ostringstream text;
  for (const DrawnRows& set : drawn)
    text << set.policy << ' ' << static_cast<int>(set.pool) << ' ' << set.count << ' ' << set.sha256
         << '\n';
  return text.str();
}

std::vector<DrawnRows> drawn_from(const std::string& text) {
  std::istringstream in(text);
  std::vector<DrawnRows> out;
  int pool = 0;
  for (DrawnRows set; in >> set.policy >> pool >> set.count >> set.sha256;) {
    set.pool = static_cast<Pool>(pool);
    out.push_back(set);
  }
  return out;
}

std::filesystem::path stage_folder(const std::string& option) {
  if (option == "none") return {};
  return option.empty() ? cache_folder("stages") : std::filesystem::path(option);
}

std::optional<StageOutcome> StageCache::find(const std::string& key) const {
  const auto folder = folder_ / key;
  if (folder_.empty() || !is_checkpoint(folder)) return std::nullopt;
  try {
    CheckpointState state = load_checkpoint(folder).state;
    StageOutcome out;
    out.weights = std::move(state.parameters);
    out.steps = steps_of(state.groups.at("steps"));
    TrainResult& r = out.result;
    const auto whole = [&](const char* name) {
      return static_cast<std::int64_t>(state.numbers.at(name));
    };
    r.steps = state.step;
    r.skipped = whole("skipped");
    r.tokens = whole("tokens");
    r.forward_passes = whole("forward_passes");
    r.backward_passes = whole("backward_passes");
    r.policy_steps = whole("policy_steps");
    r.seconds = state.numbers.at("seconds");
    r.loss = state.numbers.at("loss");
    for (const auto& [name, value] : state.groups.at("measured").numbers)
      r.measured.emplace_back(name, value);
    out.drawn = drawn_from(state.texts.at("drawn"));
    if (const auto stopped = state.texts.find("stopped"); stopped != state.texts.end())
      r.stopped = stopped->second;
    return out;
  } catch (const std::exception& error) {
    warn("seawall: %s: a stage cannot be read and is trained again: %s\n", folder.c_str(),
         error.what());
    return std::nullopt;
  }
}

std::unique_ptr<RunLock> StageCache::claim(const std::string& key,
                                           const std::function<void()>& waiting) const {
  if (folder_.empty()) return nullptr;
  try {
    prepare_folder(folder_);
    return std::make_unique<RunLock>(folder_ / (key + ".lock"), waiting);
  } catch (const IoError&) {
    return nullptr;  // each for itself, then
  }
}

void StageCache::keep(const std::string& key, const StageOutcome& outcome) const {
  if (folder_.empty()) return;
  CheckpointState state;
  const TrainResult& r = outcome.result;
  state.step = r.steps;
  state.config_hash = key;
  state.parameters = outcome.weights;
  state.numbers = {{"skipped", static_cast<double>(r.skipped)},
                   {"tokens", static_cast<double>(r.tokens)},
                   {"forward_passes", static_cast<double>(r.forward_passes)},
                   {"backward_passes", static_cast<double>(r.backward_passes)},
                   {"policy_steps", static_cast<double>(r.policy_steps)},
                   {"seconds", r.seconds},
                   {"loss", r.loss}};
  if (!r.stopped.empty()) state.texts["stopped"] = r.stopped;
  state.groups["steps"] = group_of(outcome.steps);
  state.texts["drawn"] = drawn_text(outcome.drawn);
  for (const auto& [name, value] : r.measured) state.groups["measured"].number(name, value);
  state.groups["measured"].name = "measured";
  try {
    save_checkpoint(folder_ / key, state, 1);
  } catch (const Error& error) {
    warn("seawall: a stage is not kept: %s\n", error.what());
  }
}

}  // namespace seawall
