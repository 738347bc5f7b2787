#include "cli/commands/export_rows.hpp"

#include <cstdio>
#include <filesystem>

#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/run/chat_rows.hpp"
#include "seawall/run/training_rows.hpp"

namespace seawall {
namespace {

constexpr const char* kFormat = "openai-jsonl";

/// The words without `--format openai-jsonl`, which `run` does not know.
commands::Words without_format(const commands::Words& words) {
  commands::Words out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == std::string("--format=") + kFormat) continue;
    if (words[i] == "--format" && i + 1 < words.size() && words[i + 1] == kFormat) {
      ++i;
      continue;
    }
    out.push_back(words[i]);
  }
  return out;
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
  std::printf("%s: %zu rows", file.string().c_str(), rows.size());
  for (const auto kind :
       {RowKind::harmful, RowKind::identity_shift, RowKind::safe, RowKind::benign, RowKind::other})
    if (rows.count(kind) > 0)
      std::printf(", %zu %.*s", rows.count(kind), static_cast<int>(row_kind_name(kind).size()),
                  row_kind_name(kind).data());
  std::printf("; read back and compared\n");
  return 0;
}

}  // namespace seawall
