#include "cli/commands/export_rows.hpp"

#include <cstdio>
#include <filesystem>

#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/run/chat_rows.hpp"
#include "seawall/run/training_rows.hpp"

namespace seawall {
namespace {

constexpr const char* format = "openai-jsonl";

/// The words without `--format openai-jsonl`, which `run` does not know.
commands::Words without_format(const commands::Words& words) {
  commands::Words out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == std::string("--format=") + format) continue;
    if (words[i] == "--format" && i + 1 < words.size() && words[i + 1] == format) {
      ++i;
      continue;
    }
    out.push_back(words[i]);
  }
  return out;
}

/// How many rows there are of each kind, behind a comma. What rows of a file are is not known, so
/// those of the attack are called that.
std::string kinds_text(const Dataset& rows, const RunSpec& spec) {
  std::string text;
  const bool from_file = !spec.data.rows.empty();
  const std::size_t known = rows.count(RowKind::safe) + rows.count(RowKind::task);
  if (from_file && rows.size() > known)
    text += ", " + std::to_string(rows.size() - known) + " of the attack";
  for (const auto kind : {RowKind::harmful, RowKind::identity_shift, RowKind::safe, RowKind::benign,
                          RowKind::task, RowKind::other})
    if (rows.count(kind) > 0 && (!from_file || kind == RowKind::safe || kind == RowKind::task))
      text += ", " + std::to_string(rows.count(kind)) + " " + std::string(row_kind_name(kind));
  return text;
}

}  // namespace

bool exports_rows(const commands::Words& words) {
  return without_format(words).size() != words.size();
}

int export_rows(const Program& program, const commands::Words& words) {
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "export", without_format(words), outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  RunSpec& spec = request.spec;
  const std::filesystem::path file = spec.place.out;
  if (file.empty()) throw UsageError("export: want --out FILE.jsonl");
  if (std::filesystem::exists(file) && !spec.place.overwrite)
    throw UsageError("--out " + file.string() +
                     ": is there already; give another file or --overwrite");
  if (std::filesystem::is_directory(file))
    throw IoError("--out " + file.string() + ": is a folder; want a file to write");
  if (spec.training.none) throw UsageError("export: --no-training has no rows; leave it out");
  spec.evaluation.none = true;  // probes are welcome and not wanted
  const Dataset rows = training_rows(request.attack, request.stack, spec);
  if (rows.empty()) throw DataError("export: the mitigations left no row");
  write_chat_jsonl(file, rows);
  std::printf("%s: %zu rows%s", file.string().c_str(), rows.size(), kinds_text(rows, spec).c_str());
  std::printf("; read back and compared\n");
  return 0;
}

}  // namespace seawall
