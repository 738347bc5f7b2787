#include "seawall/store/run_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/store/hdf5.hpp"
#include "store/run_layout.hpp"
#include "store/tensor_io.hpp"

namespace seawall {
namespace {

constexpr const char* header =
    "step,epoch,loss,lr,grad_norm,tokens,seconds,moved,drift,penalty,stage\n";

/// Shortest text that reads back to the same value, with `.` in every locale.
void add_number(std::string& line, auto value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  line.append(text, end);
}

std::string metrics_line(const StepRecord& r) {
  std::string line;
  for (const auto value : {r.step, r.epoch}) add_number(line, value), line += ',';
  for (const auto value : {r.loss, r.lr, r.grad_norm}) add_number(line, value), line += ',';
  add_number(line, r.tokens);
  for (const auto value : {r.seconds, r.moved, r.drift, r.penalty})
    line += ',', add_number(line, value);
  line += ',';
  add_number(line, r.stage);
  return line += '\n';
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

void append(int file, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      throw IoError(path.string() + ": cannot write the metrics: " + std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Opens the metrics for appending; `mode` may empty them first.
int open_metrics(const std::filesystem::path& path, int mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | mode, 0644);
  if (file < 0) throw IoError(path.string() + ": cannot open the metrics: " + std::strerror(errno));
  return file;
}

void check_record(const EvaluationRecord& record) {
  const std::string where = "evaluation of step " + std::to_string(record.step) + " (" +
                            record.condition + ", " + probe_set_name(record.set) + ")";
  std::set<std::string> seen;
  for (const auto& result : record.results) {
    if (!seen.insert(place_name(result)).second)
      throw RunError(where + ": the probe id `" + place_name(result) + "` comes twice");
    if (result.verdicts.size() != record.judges.size())
      throw RunError(where + ": probe `" + result.probe_id + "`: want a verdict a judge (" +
                     std::to_string(record.judges.size()) + "), got " +
                     std::to_string(result.verdicts.size()));
  }
}

}  // namespace

RunFile::RunFile(const std::filesystem::path& path, RunInfo info, RunSwitches switches)
    : paths_(path), switches_(switches) {
  data_.info = std::move(info);
  if (path.empty()) {
    paths_.file.clear();
    return;
  }
  remove_temporaries(paths_.file);
  remove_temporaries(paths_.metrics);
  metrics_ = open_metrics(paths_.metrics, O_CREAT | O_TRUNC);
  append(metrics_, header, paths_.metrics);
}

RunFile RunFile::resume(const std::filesystem::path& path, RunInfo info, std::int64_t step,
                        RunSwitches switches) {
  const RunPaths paths(path);
  std::error_code code;
  if (step == 0 && !std::filesystem::exists(paths.file, code))
    return RunFile(path, std::move(info), switches);
  auto data = read_run(paths.file, true);
  const auto where = paths.file.string() + ": ";
  if (data.info.parameter_names != info.parameter_names)
    throw DataError(where +
                    "the trainable parameters differ from those of this run; give the "
                    "options of the interrupted run");
  std::erase_if(data.steps, [&](const StepRecord& r) { return r.step > step; });
  std::erase_if(data.evaluations, [&](const EvaluationRecord& r) { return r.step > step; });
  const auto last = data.steps.empty() ? 0 : data.steps.back().step;
  if (last != step)
    throw DataError(where + "the records end at step " + std::to_string(last) +
                    ", the checkpoint is of step " + std::to_string(step) +
                    "; start again without --resume");
  std::string metrics = header;
  for (const auto& record : data.steps) metrics += metrics_line(record);
  RunFile run(path, std::move(info), switches);
  run.data_.info.started_utc = data.info.started_utc;
  run.data_.info.row_agreement = std::move(data.info.row_agreement);
  run.data_.steps = std::move(data.steps);
  run.data_.evaluations = std::move(data.evaluations);
  ::close(run.metrics_);
  run.metrics_ = -1;
  write_file_atomically(paths.metrics, metrics);
  run.metrics_ = open_metrics(paths.metrics, 0);
  return run;
}

RunFile::~RunFile() {
  if (metrics_ >= 0) ::close(metrics_);
}

RunFile::RunFile(RunFile&& other) noexcept
    : TraceSink(other),
      paths_(std::move(other.paths_)),
      switches_(other.switches_),
      data_(std::move(other.data_)),
      metrics_(std::exchange(other.metrics_, -1)) {}

void RunFile::on_step(const StepRecord& record) {
  const auto last = data_.steps.empty() ? 0 : data_.steps.back().step;
  if (record.step <= last)
    throw RunError("step " + std::to_string(record.step) + ": recorded after step " +
                   std::to_string(last));
  const auto width = data_.info.parameter_names.size();
  if (!record.param_drift.empty() && record.param_drift.size() != width)
    throw RunError("step " + std::to_string(record.step) + ": want the drift of " +
                   std::to_string(width) + " parameters, got " +
                   std::to_string(record.param_drift.size()));
  if (metrics_ >= 0) append(metrics_, metrics_line(record), paths_.metrics);
  data_.steps.push_back(record);
}

void RunFile::on_evaluation(EvaluationRecord record) {
  check_record(record);
  if (!switches_.residual) record.residual.reset();
  if (record.residual.defined()) {
    const auto rows = static_cast<std::int64_t>(record.results.size());
    const auto like = std::find_if(data_.evaluations.begin(), data_.evaluations.end(),
                                   [](const auto& r) { return r.residual.defined(); });
    const auto shape = (like == data_.evaluations.end() ? record : *like).residual.sizes();
    if (record.residual.dim() != 3 || shape.size() != 3)
      throw RunError("residual: want [prompt, layer, d_model], got another rank");
    check_shape(record.residual, {rows, shape[1], shape[2]}, "residual");
    record.residual = record.residual.detach().to(at::kCPU).to(at::kFloat).contiguous();
  }
  const auto same = [&](const EvaluationRecord& r) {
    return r.step == record.step && r.condition == record.condition && r.set == record.set;
  };
  const auto found = std::find_if(data_.evaluations.begin(), data_.evaluations.end(), same);
  if (found == data_.evaluations.end()) {
    data_.evaluations.push_back(std::move(record));
  } else {
    *found = std::move(record);
  }
}

bool RunFile::has_evaluation(std::int64_t step, const std::string& condition, ProbeSet set) const {
  return std::any_of(data_.evaluations.begin(), data_.evaluations.end(), [&](const auto& r) {
    return r.step == step && r.condition == condition && r.set == set;
  });
}

void RunFile::set_spectra(Spectra spectra) {
  bool fits = spectra.singular_values.size() == spectra.names.size() &&
              spectra.effective_rank.size() == spectra.names.size();
  for (const auto& row : spectra.singular_values)
    fits = fits && row.size() == spectra.singular_values.front().size();
  if (!fits) throw RunError("spectra: want one row of equal length and one rank a name");
  data_.spectra = std::move(spectra);
}

void RunFile::publish(bool complete) {
  if (paths_.file.empty()) return;
  data_.written_utc = utc_now();
  data_.complete = complete;
  auto writer = layout_run(data_, switches_);
  h5::publish(paths_.file, writer);
}

}  // namespace seawall
