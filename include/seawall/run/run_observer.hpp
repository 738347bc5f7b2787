#pragma once
// Somebody who watches a run.
#include "seawall/core/trace.hpp"
#include "seawall/run/backend.hpp"

namespace seawall {

/// Sees what a run records, as it is recorded.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_stage(const Stage&) {}
  virtual void on_step(const StepRecord&) {}
  virtual void on_evaluation(const EvaluationRecord&) {}
};

}  // namespace seawall
