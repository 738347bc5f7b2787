#include "seawall/store/inspect.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/core/interval.hpp"
#include "seawall/core/loss_course.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/store/run_file.hpp"
#include "store/checkpoint_state.hpp"
#include "store/schema.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

std::string number(double value, const char* format = "%.4g") {
  char text[40];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string bytes_text(double bytes) {
  for (const char* unit : {"bytes", "KiB", "MiB"}) {
    if (bytes < 1024) return number(bytes, "%.4g ") + unit;
    bytes /= 1024;
  }
  return number(bytes, "%.4g ") + "GiB";
}

std::string shape_text(const std::vector<std::string>& dims, const h5::Shape& shape) {
  std::string text;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += text.empty() ? "(" : ", ";
    if (i < dims.size() && !dims[i].empty()) text += dims[i] + " ";
    text += std::to_string(shape[i]);
  }
  return text.empty() ? "" : text + ")";
}

/// The first line of `text`, cut to fit a screen.
std::string brief(const std::string& text) {
  auto line = text.substr(0, text.find('\n'));
  if (line.size() > 70) line = line.substr(0, 67) + "...";
  return line;
}

struct Mean {
  double sum = 0, above = 0;
  std::size_t count = 0, invalid = 0;
};

std::string evaluation_line(const EvaluationRecord& record) {
  const auto each = static_cast<double>(record.decoding.samples);  // answers per probe
  std::string line = "  step " + std::to_string(record.step) + "  " + record.condition + " " +
                     probe_set_name(record.set) + "  " + std::to_string(record.results.size()) +
                     (each > 1 ? " answers" : " probes");
  std::string reasons;
  for (std::size_t j = 0; j < record.judges.size(); ++j) {
    Mean mean;
    for (const auto& result : record.results) {
      const auto& verdict = result.verdicts[j];
      mean.count += verdict.valid;
      mean.invalid += !verdict.valid;
      if (!verdict.valid) continue;
      mean.sum += verdict.score;
      mean.above += verdict.score >= 5;
    }
    const auto n = static_cast<double>(mean.count);
    line += "  " + record.judges[j] + ": ";
    if (mean.count == 0)
      line += "0 of " + std::to_string(mean.invalid) + " judged";
    else
      line += "mean score " + number(mean.sum / n, "%.2f") + ", complies in full " +
              percent_text(wilson_with_invalid(mean.above / each,
                                               (n + static_cast<double>(mean.invalid)) / each,
                                               static_cast<double>(mean.invalid) / each)) +
              " %";
    if (mean.count > 0 && mean.invalid > 0)
      line += ", " + std::to_string(mean.invalid) + " not judged";
    if (mean.invalid == 0) continue;
    const CommonReason why = invalid_reason(record, j);
    reasons += "    " + record.judges[j] + " could not judge, most often (" +
               std::to_string(why.count) + "): " + why.text + "\n";
  }
  if (const auto cut = cut_answers(record); cut > 0)
    line += "  cut at the length limit: " + std::to_string(cut);
  if (const auto decoding = decoding_text(record.decoding); !decoding.empty())
    line += "  " + decoding;
  return line + "\n" + reasons;
}

std::string describe_run(const h5::Reader& reader) {
  const auto run = read_run(reader.path());
  std::string text = "run       " + run.info.run_id + (run.complete ? "" : "  (not complete)") +
                     "\nstarted   " + run.info.started_utc + ", written " + run.written_utc +
                     "\nseed      " + std::to_string(run.info.seed) + "\n";
  for (const auto& [name, value] : run.info.versions)
    text += "version   " + name + " " + value + "\n";
  for (const auto& [name, value] : run.info.hashes)
    text += "hash      " + name + " " + value.substr(0, 16) + "\n";
  for (const auto& [name, value] : run.info.numbers)
    text += "count     " + name + " " + number(value, "%.12g") + "\n";
  text += "steps     " + std::to_string(run.steps.size()) + ", " +
          std::to_string(run.info.parameter_names.size()) + " parameters\n";
  if (!run.steps.empty()) {
    const auto &first = run.steps.front(), &last = run.steps.back();
    text += "  loss " + number(first.loss) + " -> " + number(last.loss) + ", drift " +
            number(last.drift) + ", moved " + number(100 * last.moved, "%.1f") + " % at step " +
            std::to_string(last.step) + "\n";
    if (const auto note = loss_course(run.steps).note(); !note.empty()) text += "  " + note + "\n";
  }
  if (!run.spectra.names.empty())
    text += "spectra   of " + std::to_string(run.spectra.names.size()) + " matrices\n";
  for (const char* name : {"resid_post", "residual"})  // the second in files of version 1
    if (reader.has(name))
      text += "streams   " + shape_text(reader.dims(name), reader.shape(name)) + "\n";
  text += "evaluations\n";
  for (const auto& record : run.evaluations) text += evaluation_line(record);
  return text;
}

std::string describe_variables(const h5::Reader& reader) {
  std::string text;
  for (const auto& [name, value] : reader.attributes()) {
    text += "@" + name + " ";
    if (const auto* words = std::get_if<std::string>(&value)) text += brief(*words);
    if (const auto* whole = std::get_if<std::int64_t>(&value)) text += std::to_string(*whole);
    if (const auto* real = std::get_if<double>(&value)) text += number(*real);
    text += "\n";
  }
  for (const auto& name : reader.list()) {
    if (reader.is_group(name)) continue;
    text += "  " + name + " " + shape_text(reader.dims(name), reader.shape(name)) + " " +
            std::string(h5::type_name(reader.type(name))) + "\n";
  }
  return text;
}

std::string describe_checkpoint(const fs::path& path) {
  const auto loaded = load_checkpoint(path);
  const auto& state = loaded.state;
  std::string text = "checkpoint " + loaded.path.string() + "\nstep       " +
                     std::to_string(state.step) + "\nconfig     " + state.config_hash + "\n";
  for (const auto& reason : loaded.skipped) text += "skipped    " + reason + "\n";
  const auto count = [&](const char* what, const NamedTensors& tensors) {
    std::int64_t values = 0;
    std::map<std::string, int> types;
    for (const auto& [name, tensor] : tensors) {
      values += tensor.numel();
      ++types[c10::toString(tensor.scalar_type())];
    }
    text +=
        what + std::to_string(tensors.size()) + " tensors, " + std::to_string(values) + " values";
    for (const auto& [type, many] : types) text += ", " + std::to_string(many) + " " + type;
    text += "\n";
  };
  count("parameters ", state.parameters);
  count("optimizer  ", state.optimizer);
  for (const auto& [name, value] : state.numbers)
    text += "number     " + name + " " + number(value, "%.12g") + "\n";
  for (const auto& [name, value] : state.texts)
    text += "text       " + name + " " + brief(value) + "\n";
  for (const auto& [name, values] : state.integers)
    text += "integers   " + name + " (" + std::to_string(values.size()) + ")\n";
  for (const auto& [name, group] : state.groups)
    text += "policy     " + name + ": " + std::to_string(group.tensors.size()) + " tensors, " +
            std::to_string(group.numbers.size()) + " numbers, " +
            std::to_string(group.texts.size()) + " texts\n";
  for (const auto& [name, bytes] : state.files)
    text += "file       " + name + " " + bytes_text(static_cast<double>(bytes.size())) + "\n";
  return text;
}

}  // namespace

std::string describe_file(const fs::path& path) {
  std::error_code code;
  if (fs::is_directory(path, code)) return describe_checkpoint(path);
  if (is_state_file(path.filename().string()) &&
      fs::exists(path.parent_path() / "manifest.json", code))
    return describe_checkpoint(path.parent_path());
  const h5::Reader reader(path);
  const auto kind =
      reader.has_attribute("seawall_kind") ? reader.text_attribute("seawall_kind") : "";
  const std::string head = path.string() + "  " +
                           bytes_text(static_cast<double>(fs::file_size(path))) +
                           ", SHA-256 verified\n";
  if (kind == "run") return head + describe_run(reader);
  if (kind == "activations") {
    check_kind(reader, activation_schema());
    return head + describe_variables(reader);
  }
  throw DataError(path.string() + ": want a run, a checkpoint or an activation file");
}

}  // namespace seawall
