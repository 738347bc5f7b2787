#pragma once
// Answers with the labels that people gave them.
#include <filesystem>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"

namespace seawall {

struct LabelledAnswers {
  std::vector<Probe> probes;
  EvaluationRecord record;  // one judge, `human`; a label of 0 or 1 is a score of 1 or 5
  bool steps = false;       // labels are 1..5, not 0 and 1
};

/// Reads CSV with a header, or JSONL: prompt, response, label, and where they are given id and
/// category. `scale` is auto, 0-1 or 1-5; auto takes 0-1 where a label is 0 and none above 1.
/// Errors: IoError; DataError naming file and line; UsageError where auto cannot tell.
LabelledAnswers read_labels(const std::filesystem::path& file, const std::string& scale);

}  // namespace seawall
