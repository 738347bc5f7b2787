#include "model/slot_rules.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

namespace seawall {
namespace {

constexpr float banned = -std::numeric_limits<float>::infinity();

Tensor there_or_none(const std::vector<std::int64_t>& values, const at::Device& device) {
  if (values.empty()) return {};
  auto out = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::ranges::copy(values, out.data_ptr<std::int64_t>());
  return out.to(device);
}
Tensor there_or_none(const std::vector<std::int32_t>& ids, const at::Device& device) {
  return there_or_none(std::vector<std::int64_t>(ids.begin(), ids.end()), device);
}

}  // namespace

bool SlotRules::can(const DecodingRules& rules) {
  DecodingRules others = rules;
  others.repetition_penalty = 1;
  others.min_length = others.min_new_tokens = 0;
  others.suppress.clear();
  others.begin_suppress.clear();
  return others.plain();
}

SlotRules::SlotRules(const DecodingRules& rules, std::int64_t slots, std::int64_t vocabulary,
                     const at::Device& device)
    : rules_(rules), vocabulary_(vocabulary), device_(device) {
  const auto on = at::TensorOptions(device);
  if (rules.repetition_penalty != 1) seen_ = at::zeros({slots, vocabulary}, on.dtype(at::kBool));
  if (!rules.eos.empty() && (rules.min_length > 0 || rules.min_new_tokens > 0)) {
    until_ = at::zeros({slots}, on.dtype(at::kLong));
    eos_ = there_or_none(rules.eos, device);
  }
  suppress_ = there_or_none(rules.suppress, device);
  suppress_first_ = there_or_none(rules.begin_suppress, device);
}

void SlotRules::fill(const std::vector<std::int64_t>& slots,
                     const std::vector<std::vector<std::int32_t>>& prompts) {
  if (!seen_.defined() && !until_.defined()) return;
  // The slots, the lengths before which no text ends, and each token that a text has.
  std::vector<std::int64_t> table = slots;
  for (const auto& prompt : prompts)
    table.push_back(std::max(rules_.min_length,
                             static_cast<std::int64_t>(prompt.size()) + rules_.min_new_tokens));
  if (seen_.defined())
    for (std::size_t r = 0; r < prompts.size(); ++r)
      for (const auto id : prompts[r])
        if (id >= 0) table.push_back(slots[r] * vocabulary_ + id);  // below 0: a picture's place
  const Tensor all = there_or_none(table, device_);
  const auto m = static_cast<std::int64_t>(slots.size());
  const Tensor rows = all.narrow(0, 0, m);
  if (until_.defined()) until_.index_copy_(0, rows, all.narrow(0, m, m));
  if (!seen_.defined()) return;
  seen_.index_fill_(0, rows, false);
  seen_.view({-1}).index_fill_(0, all.narrow(0, 2 * m, all.size(0) - 2 * m), true);
}

void SlotRules::keep(const Tensor& slots) {
  for (Tensor* state : {&seen_, &until_})
    if (state->defined()) *state = state->index_select(0, slots);
}

void SlotRules::append(const Tensor& ids) {
  if (seen_.defined()) seen_.scatter_(1, ids.unsqueeze(1), true);
}

Tensor SlotRules::applied(const Tensor& logits, const Tensor& lengths, const Tensor& slots) const {
  const auto rows = [&](const Tensor& x) { return slots.defined() ? x.index_select(0, slots) : x; };
  Tensor scores = logits.to(at::kFloat);
  if (seen_.defined()) {
    const auto penalty = static_cast<float>(rules_.repetition_penalty);
    const Tensor lower = at::where(scores.lt(0), scores * penalty, scores / penalty);
    scores = at::where(rows(seen_), lower, scores);
  } else if (scores.is_same(logits)) {
    scores = scores.clone();
  }
  if (until_.defined()) {
    const Tensor early = lengths.lt(rows(until_)).unsqueeze(1);  // [m,1]
    scores.index_copy_(1, eos_, scores.index_select(1, eos_).masked_fill(early, banned));
  }
  if (suppress_.defined()) scores.index_fill_(1, suppress_, banned);
  if (slots.defined() && suppress_first_.defined()) scores.index_fill_(1, suppress_first_, banned);
  return scores;
}

}  // namespace seawall
