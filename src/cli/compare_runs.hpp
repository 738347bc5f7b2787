#pragma once
// Inside cli/ only: what two runs of the same words have in common.
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/trace.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {

using Versions = std::vector<std::pair<std::string, std::string>>;
/// What both name and made them differ: `libtorch 2.11.0 there, 2.15.0 here`. Empty if nothing
/// does.
std::string versions_that_differ(const Versions& there, const Versions& here);

/// One line: that the steps and answers of both are the same to the bit, or where they part and how
/// far, with the versions that differ.
std::string compared(const RunData& there, const RunData& here);

}  // namespace seawall
