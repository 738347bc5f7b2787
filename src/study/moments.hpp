#pragma once
// The evaluations of an arm's runs, moment by moment.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "seawall/study/traces.hpp"

namespace seawall {

using ArmRunFiles = std::vector<std::pair<std::filesystem::path, RunData>>;

/// One run at a moment. `start` are its evaluations before step 1, null if there are none.
struct RunMoment {
  std::size_t run = 0;  // its place among those of the arm
  const RunData* data = nullptr;
  const EvaluationRecord *harm = nullptr, *ordinary = nullptr;
  const EvaluationRecord *start_harm = nullptr, *start_ordinary = nullptr;
};
struct ArmMoment {
  Moment at;
  std::vector<RunMoment> runs;
};

/// In the order of steps; the last evaluation of a finished run is its end.
std::vector<ArmMoment> moments_of(const ArmRunFiles& runs, const std::string& condition);

/// Mean, least and greatest of the numbers that are finite.
RunSpread spread_of(const std::vector<double>& numbers);

DepthReading read_depth(const ArmRunFiles& runs, const std::string& arm,
                        const std::string& condition);
DirectionReading read_direction(const ArmRunFiles& runs, const std::string& arm,
                                const std::string& condition);
FixedReading read_fixed(const ArmRunFiles& runs, const std::string& arm,
                        const std::string& condition);
HarmReading read_harm(const ArmRunFiles& runs, const std::string& arm,
                      const std::string& condition);
RowsReading read_moved_rows(const ArmRunFiles& runs, const std::string& arm);

}  // namespace seawall
