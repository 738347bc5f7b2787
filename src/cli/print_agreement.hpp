#pragma once
// What `judge-check` prints of a judge.
#include "seawall/eval/agreement.hpp"

namespace seawall {

/// Agreement, kappas and the table of labels against verdicts; `steps`: labels from 1 to 5.
void print_agreement(const JudgePair& pair, bool steps);
/// How well the judge's probabilities fit the labels, which are verdict 0 of each row.
void print_calibration(const EvaluationRecord& record, std::size_t judge, std::int64_t bins);

}  // namespace seawall
