#pragma once
// The file of a run whose answers were judged again.
#include <filesystem>

#include "seawall/store/run_file.hpp"

namespace seawall {

/// Makes the run one of its own: its hashes get `judged_from`, the SHA-256 of `source` (the run
/// file that was judged), and `judged`, that of the source and of every verdict; its run id is the
/// beginning of the latter, and `arm` is the name of `out`. Errors: IoError.
void name_judged_run(RunData& run, const std::filesystem::path& source,
                     const std::filesystem::path& out);

/// Writes all that `run` holds as `path`. Errors: IoError.
void write_run(const std::filesystem::path& path, const RunData& run);

}  // namespace seawall
