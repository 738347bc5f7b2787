#pragma once
// Inside cli/ only: a run file's run as the command that makes it.
#include <string>
#include <utility>
#include <vector>

#include "seawall/cli/program.hpp"
#include "seawall/core/trace.hpp"

namespace seawall {

/// `seawall run --attack ... `, with every option whose value is not the default; options that the
/// recipe filled in have the values that it gave them. Errors: DataError if the configuration of
/// the file is no JSON.
std::string run_command(const Program& program, const RunInfo& info);
/// The same as options with their values, in the order of the command. Errors: as above.
std::vector<std::pair<std::string, std::string>> run_options(const Program& program,
                                                             const RunInfo& info);

}  // namespace seawall
