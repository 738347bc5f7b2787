#pragma once
// What was decided about an input that leaves more than one reading: told to the user once.
#include <string>
#include <vector>

namespace seawall {

/// One line each: which files disagree, which one counts, and why.
using Notices = std::vector<std::string>;

/// Writes `seawall: TEXT` to stderr, each text once per process. Thread-safe.
void warn_once(const std::string& text);
void warn_once(const Notices& notices);

}  // namespace seawall
