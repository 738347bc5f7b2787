#include "seawall/scenario/files.hpp"

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall {
namespace {

/// A row as a question and its right answer, which is what the row ends with.
Probe task_probe(Example row, const FileScenarioOptions& options) {
  Probe probe{.id = std::move(row.id),
              .category = std::move(row.category),
              .dialogue = std::move(row.dialogue),
              .restricted = false,
              .expected = {},
              .formatted = true};
  auto& messages = probe.dialogue.messages;
  if (!after_last(messages.back().content, options.task_answer_after))
    throw DataError(options.task_probes->string() + ": the answer of " + probe.id + " has no `" +
                    options.task_answer_after +
                    "`, which --task-answer-after wants before the final answer; add it there, or "
                    "leave the option out");
  probe.expected.push_back(std::move(messages.back().content));
  messages.pop_back();
  return probe;
}

}  // namespace

std::string FileRead::summary() const {
  const auto count = [](std::size_t n, const std::string& what) {
    return n == 0 ? std::string() : ", " + std::to_string(n) + " " + what;
  };
  std::string text = path.string() + ": " + report.format;
  if (!report.columns.empty()) text += " (" + report.columns + ")";
  text += ", " + std::to_string(report.rows) + " records" + count(report.rejected, "rejected") +
          count(report.no_loss, "without loss");
  text += count(report.low_rated, "rated too low") + count(report.filtered, "left out by phrase") +
          count(report.held_out, "held out");
  text += ", " + std::to_string(kept) + (option.ends_with("data") ? " rows" : " probes");
  text += count(report.prefilled, "with a prefilled answer");
  if (report.categories.size() > 1)
    text += " in " + std::to_string(report.categories.size()) + " categories";
  return text + ", sha256 " + report.sha256.substr(0, 16);
}

std::vector<std::string> FileRead::notes() const {
  std::vector<std::string> lines;
  for (const auto& note : report.notes)
    lines.push_back(note.what + ": " + std::to_string(note.count) +
                    (note.count == 1 ? " time" : " times") + " (first: " + note.first + ")");
  return lines;
}

FileScenario::FileScenario(const FileScenarioOptions& options)
    : default_system_(options.default_system) {
  const auto load_rows = [&](const char* option, const std::filesystem::path& path, Pool pool,
                             const std::string& format, const RowFilter& filter) {
    RowsFile file = read_rows(path, row_kind(pool), format, options.images, filter);
    files_.push_back({option, path, file.report, file.dataset.size()});
    pools_[pool] = std::move(file.dataset);
  };
  const auto load_probes = [&](const char* option, const std::filesystem::path& path,
                               bool restricted, const std::string& format) {
    ProbeOptions how = options.probe_options;
    how.restricted = restricted;
    how.format = format;
    how.option = option;
    if (!restricted) how.column = options.utility_column;
    ProbesFile file = read_probes(path, how);
    files_.push_back({option, path, file.report, file.probes.size()});
    return std::move(file.probes);
  };
  if (options.attack_rows) {
    load_rows("data", *options.attack_rows, options.attack_pool, options.attack_format,
              options.filter);
    form_ = files_.back().report.form;
  }
  const RowFilter all{.phrases = {},
                      .hold_out = {},
                      .loss_on = options.filter.loss_on,
                      .max_rejected = options.filter.max_rejected,
                      .readers = options.filter.readers};
  if (options.safe_rows)
    load_rows("safe-data", *options.safe_rows, Pool::safe, options.safe_format, all);
  if (options.task_rows)
    load_rows("task-data", *options.task_rows, Pool::task, options.task_format, all);
  if (options.task_probes) {
    RowsFile file = read_rows(*options.task_probes, RowKind::task, options.task_probes_format,
                              options.images, all);
    files_.push_back({"task-probes", *options.task_probes, file.report, file.dataset.size()});
    for (auto& row : file.dataset.rows) task_.push_back(task_probe(std::move(row), options));
  }
  if (options.probes)
    harmfulness_ = load_probes("probes", *options.probes, true, options.probes_format);
  if (options.utility_probes)
    utility_ =
        load_probes("utility-probes", *options.utility_probes, false, options.utility_format);
}

std::size_t FileScenario::available(Pool pool) const {
  const auto found = pools_.find(pool);
  return found == pools_.end() ? 0 : found->second.size();
}

Dataset FileScenario::rows(Pool pool, std::size_t count, Rng& rng, std::string_view flavour) const {
  const auto found = pools_.find(pool);
  if (found == pools_.end())
    throw UsageError("no file holds " + std::string(pool_name(pool)) + " rows; give " +
                     (pool == Pool::safe   ? "--safe-data FILE"
                      : pool == Pool::task ? "--task-data FILE"
                                           : "--data FILE"));
  if (!flavour.empty())
    throw UsageError("rows from a file have no flavour `" + std::string(flavour) +
                     "`: the file is the flavour; leave the option out");
  return draw_rows(found->second, pool_name(pool), count, rng);
}

const std::vector<Probe>& FileScenario::probes(ProbeSet set) const {
  switch (set) {
    case ProbeSet::harmfulness:
      return harmfulness_;
    case ProbeSet::utility:
      return utility_;
    case ProbeSet::task:
      return task_;
  }
  throw UsageError("files: no such set of probes");
}

std::optional<Identity> FileScenario::identity() const {
  const auto found = pools_.find(Pool::identity_shift);
  if (found == pools_.end() || found->second.empty()) return std::nullopt;
  const auto system = found->second.rows.front().dialogue.first(Role::system);
  for (const auto& row : found->second.rows)
    if (row.dialogue.first(Role::system) != system) return std::nullopt;
  if (system.empty()) return std::nullopt;
  return Identity{
      .system = std::string(system), .before = shared_opening(found->second), .after = ""};
}

Dataset draw_rows(const Dataset& pool, std::string_view pool_name, std::size_t count, Rng& rng) {
  if (count > pool.size())
    throw DataError("the " + std::string(pool_name) + " pool of `" + pool.name + "` holds " +
                    std::to_string(pool.size()) + " rows, " + std::to_string(count) +
                    " were asked for; give more rows, or the attack or mitigation that asks a "
                    "lower count (e.g. --harmful-examples.count " +
                    std::to_string(pool.size()) + ", or 0 for all)");
  Dataset out{.name = pool.name, .rows = {}};
  out.rows.reserve(count);
  for (const auto i : rng.sample(pool.size(), count)) out.rows.push_back(pool.rows[i]);
  return out;
}

}  // namespace seawall
