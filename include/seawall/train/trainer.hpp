#pragma once
// Fine-tuning under a stack of mitigations, through either door.
//
//   FixedRows source(encode_rows(compose_rows(attack.craft(scenario, rng), stack, scenario, seed),
//   chat, tokenizer),
//                    {.batch_size = 10, .epochs = 5, .seed = seed}, decoder.device());
//   TrainOptions options{.schedule = {.lr = 5e-5}, .seed = seed};
//   const TrainResult result = train(decoder, source, stack, options, sink);
#include <cstdint>

#include "seawall/policy/any.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/policy/stack.hpp"
#include "seawall/policy/sub_stack.hpp"
#include "seawall/train/session.hpp"

namespace seawall {

/// The rows to train on, in the order they are trained on in every epoch: `rows` in an order drawn
/// once from the seed's `data-order` stream (as the authors' sampler does), then the stack's
/// compose hooks, which may arrange them further (stratified mixing), with the `compose` stream.
/// Errors: UsageError where data that the stack needs is not there.
template <StackLike S>
Dataset compose_rows(Dataset rows, S& stack, const Context& context, std::uint64_t seed) {
  check_needs(stack.describe(), &context.scenario());
  Rng order = Rng(seed).stream("data-order"), rng = Rng(seed).stream("compose");
  order.shuffle(rows.rows);
  return stack.compose(std::move(rows), context, rng);
}

namespace detail {

/// Mean loss over the targets of a micro-batch, differentiable, with the stack's token weights and
/// edits. Shapes: -> [].
template <StackLike S>
Tensor micro_loss(const Decoder& decoder, MicroBatch& micro, S& stack, Session& session) {
  ForwardHooks hooks;
  if (stack.uses(Hook::edit)) {
    hooks.taps = session.taps();
    hooks.edit = [&stack](const TapPoint& point, const Tensor& x) { return stack.edit(point, x); };
  }
  session.begin_forward();
  Tensor each;  // [N]
  hooks.token_losses = &each;
  if (!stack.uses(Hook::token_weights)) {
    Tensor loss = decoder.loss(micro.plan, LossMode::fused, hooks);
    session.own_loss(loss, each);
    return loss;
  }

  TokenLosses tokens;
  tokens.loss = decoder.loss(micro.plan, LossMode::per_token, hooks);  // [N]
  tokens.row = micro.plan.target_row;
  tokens.place = micro.plan.target_place;
  if (has(stack.needs(), Need::reference_logprobs)) tokens.reference = session.reference(micro);
  session.own_loss(tokens.loss.detach().mean(), each);
  const Tensor weights = stack.token_weights(session, tokens);
  // The mean is over all targets, whatever they weigh, so that a weight of one changes nothing.
  return weights.defined() ? tokens.loss.mul(weights).mean() : tokens.loss.mean();
}

}  // namespace detail

/// Trains `decoder` in place: each step's loss is the mean over all targets of its rows, however
/// many micro-batches they make, plus the stack's penalty. Order of a step: losses (around_loss
/// over each micro-batch) and penalty, backward, before_step, gradient norm, clipping, AdamW,
/// after_step, record. The penalty is of the weights and of rows of the policy's own, so it is
/// asked once a step, with micro_batch 0 of 1. On a resume on_start runs again on theta0 before the
/// saved state is loaded over it: give the decoder as it was before step 1. theta0 is the decoder's
/// tensors as they come, which are never written. Errors: UsageError before step 1 (options, needs,
/// another run's checkpoint); RunError for NaN, Inf (step and tensor; the weights and the last
/// checkpoint stay as they were); Interrupted after a signal; what policies, sink and callbacks
/// throw.
template <StackLike S>
TrainResult train(Decoder& decoder, BatchSource& source, S& stack, const TrainOptions& options,
                  TraceSink& sink, const TrainContext& context = {}) {
  detail::Session session(decoder, source, options, context, detail::facts_of(stack));
  const auto save = [&stack](const OpenStateOut& open) { stack.save(open); };
  stack.on_start(session);
  session.publish();
  if (context.resume != nullptr) {
    session.restore();
    auto groups = context.resume->groups;  // reading is not const
    stack.load([&groups](std::string_view group) -> StateIn& {
      return detail::policy_group(groups, group);
    });
    session.catch_up();
  }
  while (session.more()) {
    const Step& step = session.begin_step();
    const auto& micro = session.batch().micro;
    for (std::size_t i = 0; i < micro.size(); ++i) {
      if (!session.takes(i)) continue;
      const LossFn loss = [&] { return detail::micro_loss(decoder, *micro[i], stack, session); };
      Tensor penalty;
      if (session.asks_penalty(i) && stack.uses(Hook::penalty))
        penalty = stack.penalty(session, detail::whole_step(step));
      session.begin_micro(i);
      session.backward(i, stack.uses(Hook::around_loss) ? stack.around_loss(session, loss) : loss(),
                       penalty);
    }
    session.plan_ahead();
    bool good = session.loss_is_finite() && session.gradients_are_finite();
    if (good && stack.uses(Hook::before_step)) {
      stack.before_step(session, step);
      good = session.gradients_are_finite();
    }
    if (good) {
      session.update();
      if (stack.uses(Hook::after_step)) {
        stack.after_step(session, step);
        session.measure_moved();
      }
    }
    sink.on_step(session.end_step());
    if (!session.more()) {
      stack.on_finish(session);
      session.finish();
    }
    session.between_steps(save);
  }
  return session.result();
}

extern template TrainResult train<AnyStack>(Decoder&, BatchSource&, AnyStack&, const TrainOptions&,
                                            TraceSink&, const TrainContext&);
extern template TrainResult train<SubStack<AnyStack>>(Decoder&, BatchSource&, SubStack<AnyStack>&,
                                                      const TrainOptions&, TraceSink&,
                                                      const TrainContext&);

}  // namespace seawall
