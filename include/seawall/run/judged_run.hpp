#pragma once
// Judging the answers of a run file again, into another run file.
#include <filesystem>
#include <memory>
#include <string>

#include "seawall/dataset/reader_policy.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {

/// The files of a run's probes, where they are now; empty: not at hand.
struct ProbeFiles {
  std::string probes, utility_probes;
};
/// What judges ask about a run's probes: the built-in world if the run was of it and no files are
/// given, else the files, read as the run read them. Errors: those of FileScenario; DataError for a
/// run file whose configuration cannot be read.
std::unique_ptr<Scenario> scenario_of_run(const RunData& run, const ProbeFiles& files,
                                          const ReaderCatalogue& readers);
/// Errors: DataError if none of these judges could judge any answer.
void check_judged(const RunData& run, const Judges& judges);

/// Makes the run one of its own: its hashes get `judged_from`, the SHA-256 of `source` (the run
/// file that was judged), and `judged`, that of the source and of every verdict; its run id is the
/// beginning of the latter, and `arm` is the name of `out`. Errors: IoError.
void name_judged_run(RunData& run, const std::filesystem::path& source,
                     const std::filesystem::path& out);

/// Writes all that `run` holds as `path`. Errors: IoError.
void write_run(const std::filesystem::path& path, const RunData& run);

}  // namespace seawall
