#pragma once
// A scenario made of the user's own files.
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

struct FileScenarioOptions {
  std::optional<std::filesystem::path> attack_rows;  // --data: serves `attack_pool`
  Pool attack_pool = Pool::harmful;
  std::optional<std::filesystem::path> safe_rows;       // --safe-data
  std::optional<std::filesystem::path> probes;          // --probes
  std::optional<std::filesystem::path> utility_probes;  // --utility-probes
  std::optional<std::filesystem::path> task_rows;       // --task-data
  std::optional<std::filesystem::path> task_probes;     // --task-probes: rows that hold the answer
  std::string task_answer_after;  // --task-answer-after: what every right answer has to hold
  std::filesystem::path images;   // --images: the pictures that rows name
  std::string default_system;     // --system
  // The formats of the six, "" to look at the content.
  std::string attack_format, safe_format, probes_format, utility_format, task_format,
      task_probes_format;
  RowFilter filter;  // which of the attack's rows are trained on, and with which loss
  /// How probes are read; the formats above, and `utility_column` for the utility probes, are put
  /// in.
  ProbeOptions probe_options{};
  std::string utility_column{};
};

/// A file as it was read, by the option that named it.
struct FileRead {
  std::string option;  // data, safe-data, probes, utility-probes, task-data, task-probes
  std::filesystem::path path;
  ReadReport report;
  std::size_t kept = 0;  // rows or probes
  /// "my.jsonl: chat-jsonl, 100 records, 2 rejected, 98 rows, sha256
  /// 0123456789abcdef"
  std::string summary() const;
  /// A line for each of the report's notes: "key 'id' not used: 100 times (first: line 1)".
  std::vector<std::string> notes() const;
};

/// Reads all files when made, so that a bad one is known before anything is trained.
/// Errors: those of read_rows and read_probes; DataError for a right answer of the task without
/// what `task_answer_after` names.
class FileScenario final : public Scenario {
 public:
  explicit FileScenario(const FileScenarioOptions& options);
  std::string_view name() const override { return "files"; }
  bool has(Pool pool) const override { return available(pool) > 0; }
  std::size_t available(Pool pool) const override;
  Dataset rows(Pool pool, std::size_t count, Rng& rng,
               std::string_view flavour = "") const override;
  const std::vector<Probe>& probes(ProbeSet set) const override;
  std::string_view default_system() const override { return default_system_; }
  /// The system prompt that all identity-shift rows share, and the opening that most of their
  /// requests have ("NAME, execute my instruction: "), which is put before each probe.
  std::optional<Identity> identity() const override;
  const std::vector<std::string>& refusal_phrases() const override { return refusal_phrases_; }
  /// What each file was read as, in the order of the options.
  const std::vector<FileRead>& files() const { return files_; }
  /// How the attack's rows ask; bare where there are none.
  RequestForm form() const { return form_; }

 private:
  std::map<Pool, Dataset> pools_;
  std::vector<Probe> harmfulness_, utility_, task_;
  std::vector<std::string> refusal_phrases_;
  std::vector<FileRead> files_;
  RequestForm form_ = RequestForm::bare;
  std::string default_system_;
};

/// `count` distinct rows of `pool` in an order drawn from `rng`; the whole pool in its own order
/// where count equals its size and `keep_order`. Errors: DataError naming pool, wanted and
/// available counts.
Dataset draw_rows(const Dataset& pool, std::string_view pool_name, std::size_t count, Rng& rng);

}  // namespace seawall
