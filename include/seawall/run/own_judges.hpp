#pragma once
// Judges of plug-ins, by the name that --judge takes.
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "seawall/policy/judge.hpp"

namespace seawall {

/// Makes a judge whose options are known.
using JudgeMaker = std::function<std::unique_ptr<Judge>()>;
using OwnJudges = std::map<std::string, JudgeMaker>;

}  // namespace seawall
