#include "seawall/train/weight_edit.hpp"

#include <ATen/core/grad_mode.h>

namespace seawall {
namespace {

/// One step without rows.
struct NoRows final : BatchSource {
  std::int64_t steps() const override { return 1; }
  std::int64_t steps_per_epoch() const override { return 1; }
  StepBatch batch(std::int64_t) override { return {}; }
};

}  // namespace

TrainResult edit_weights(Decoder& decoder, const TrainOptions& options, TraceSink& sink,
                         const TrainContext& context, const std::function<void(Trainer&)>& edit) {
  NoRows source;
  detail::StackFacts facts;
  facts.writes_weights = facts.after_step = true;
  facts.names = {"attack"};
  facts.trains = [](std::string_view) { return true; };
  detail::Session session(decoder, source, options, context, std::move(facts));
  session.begin_step();
  {
    const at::NoGradGuard no_grad;
    edit(session);
  }
  session.edited();
  sink.on_step(session.end_step());
  session.finish();
  session.between_steps([](const OpenStateOut&) {});
  return session.result();
}

}  // namespace seawall
