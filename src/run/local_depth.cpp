// What a run's evaluation says of every token under the weights of the start.
#include <algorithm>

#include "seawall/eval/depth.hpp"
#include "seawall/run/local_backend.hpp"
#include "seawall/run/run.hpp"

namespace seawall {

void LocalBackend::trace_depth(Run& run, EvaluationRecord& record) {
  const Decoder& now = *model_.decoder;
  const auto& all = run.file().data().evaluations;
  const auto first = std::ranges::find_if(all, [&record](const EvaluationRecord& other) {
    return other.step == 0 && other.condition == record.condition && other.set == record.set;
  });
  const EvaluationRecord* before = record.step == 0 || first == all.end() ? nullptr : &*first;
  if (!attacked_) return seawall::trace_depth(record, now, now, before);
  if (!start_adapter_)
    return seawall::trace_depth(record, now, Decoder(now.config(), start_), before);
  Decoder start(now.config(), now.parameters());
  if (!start_adapter_->is_zero()) start.adapt(*start_adapter_);
  seawall::trace_depth(record, now, start, before);
}

}  // namespace seawall
