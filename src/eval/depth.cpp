#include "seawall/eval/depth.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

namespace seawall {
namespace {

/// Prompts with answers as one plan, all tokens of the answers targets.
struct Texts {
  std::vector<Sequence> rows;
  std::vector<std::size_t> results;  // which of the record's each is
  void add(std::size_t result, const std::vector<std::int32_t>& prompt,
           const std::vector<std::int32_t>& answer) {
    Sequence row{prompt, std::vector<std::uint8_t>(prompt.size())};
    row.ids.insert(row.ids.end(), answer.begin(), answer.end());
    row.loss.resize(row.ids.size(), 1);
    rows.push_back(std::move(row));
    results.push_back(result);
  }
};

/// Numbers of all targets, row by row, to the results that they are of.
void deal_out(const Tensor& values, const Texts& texts, EvaluationRecord& record,
              std::vector<float> ProbeResult::*member) {
  const Tensor here = values.to(at::kCPU, at::kFloat).contiguous();
  const float* at = here.const_data_ptr<float>();
  for (std::size_t i = 0; i < texts.rows.size(); ++i) {
    const auto count = std::ranges::count(texts.rows[i].loss, 1);
    (record.results[texts.results[i]].*member).assign(at, at + count);
    at += count;
  }
}

/// The flat token at a position of a row.
std::int64_t token_at(const BatchPlan& plan, std::size_t row, std::int64_t position) {
  std::int64_t segment = plan.leaf_of[row];
  while (plan.segments[static_cast<std::size_t>(segment)].position > position)
    segment = plan.segments[static_cast<std::size_t>(segment)].parent;
  const Segment& own = plan.segments[static_cast<std::size_t>(segment)];
  return own.begin + position - own.position;
}

/// Sums of the stream at the last prompt tokens over many plans.
class StreamSums {
 public:
  /// Which tokens of a plan they are.
  void look_at(const BatchPlan& plan, const Texts& texts, const EvaluationRecord& record) {
    std::vector<std::int64_t> tokens;
    for (std::size_t i = 0; i < texts.rows.size(); ++i) {
      const auto length =
          static_cast<std::int64_t>(record.results[texts.results[i]].prompt_ids.size());
      if (length < depth_positions) continue;
      for (std::int64_t p = length - depth_positions; p < length; ++p)
        tokens.push_back(token_at(plan, i, p));
      ++count_;
    }
    tokens_ = at::tensor(tokens, at::kLong).to(plan.ids.device());
    layer_ = 0;
  }
  ForwardHooks hooks() {
    ForwardHooks out;
    out.take = [this](const TapPoint&, const Tensor& x) { take(x); };
    return out;
  }
  /// Shapes: -> [positions, layer+1, C] fp32 on the CPU; undefined without results.
  Tensor mean() const {
    if (count_ == 0) return {};
    return (at::stack(sums_, 1) / static_cast<double>(count_))
        .to(at::kCPU, at::kFloat)
        .contiguous();
  }

 private:
  void take(const Tensor& x) {
    const std::size_t layer = layer_++;
    if (tokens_.numel() == 0) return;
    const Tensor sum = x.index_select(0, tokens_)
                           .to(at::kDouble)
                           .view({-1, depth_positions, x.size(1)})
                           .sum(0);  // [positions,C]
    if (layer == sums_.size())
      sums_.push_back(sum);
    else
      sums_[layer].add_(sum);
  }

  Tensor tokens_;
  std::vector<Tensor> sums_;  // of a layer each
  std::size_t layer_ = 0;
  std::int64_t count_ = 0;
};

/// Calls f(texts) for the texts in parts of at most `rows`.
template <class F>
void in_parts(const Texts& all, std::int64_t rows, const F& f) {
  const auto size = static_cast<std::size_t>(rows);
  for (std::size_t begin = 0; begin < all.rows.size(); begin += size) {
    const auto end = std::min(begin + size, all.rows.size());
    const auto part = [&](const auto& list) {
      return std::remove_cvref_t<decltype(list)>(list.begin() + static_cast<std::ptrdiff_t>(begin),
                                                 list.begin() + static_cast<std::ptrdiff_t>(end));
    };
    f(Texts{part(all.rows), part(all.results)});
  }
}

bool readable(const ProbeResult& result) {
  return !result.prompt_ids.empty() &&
         std::ranges::all_of(result.prompt_ids, [](std::int32_t id) { return id >= 0; });
}

/// The answer that the same probe got in `first`, if it was asked the same.
const ProbeResult* first_answer(const EvaluationRecord* first, const ProbeResult& result) {
  if (first == nullptr) return nullptr;
  const auto found = std::ranges::find_if(first->results, [&](const ProbeResult& other) {
    return other.probe_id == result.probe_id && other.sample == result.sample &&
           other.prompt_ids == result.prompt_ids;
  });
  return found == first->results.end() || found->response_ids.empty() ? nullptr : &*found;
}

}  // namespace

void trace_depth(EvaluationRecord& record, const Decoder& now, const Decoder& start,
                 const EvaluationRecord* first, std::int64_t rows) {
  const c10::NoGradGuard no_grad;
  Texts own, before;
  for (std::size_t i = 0; i < record.results.size(); ++i) {
    const ProbeResult& result = record.results[i];
    if (!readable(result)) continue;
    own.add(i, result.prompt_ids, result.response_ids);
    if (const auto* answer = first_answer(first, result))
      before.add(i, result.prompt_ids, answer->response_ids);
  }
  StreamSums streams;
  in_parts(own, rows, [&](const Texts& texts) {
    const BatchPlan plan = plan_batch(texts.rows, now.device());
    streams.look_at(plan, texts, record);
    const Tensor here = now.hidden(plan, streams.hooks());  // [T,C]
    if (plan.targets.numel() == 0) return;                  // all answers are empty
    const Tensor there = start.hidden(plan);
    deal_out(start.loss(there, plan, LossMode::per_token).neg(), texts, record,
             &ProbeResult::start_logprob);
    deal_out(now.kl_each(here, start, there, plan, KlDirection::now_start), texts, record,
             &ProbeResult::kl_start);
  });
  record.mean_residual = streams.mean();
  in_parts(before, rows, [&](const Texts& texts) {
    const BatchPlan plan = plan_batch(texts.rows, now.device());
    deal_out(now.loss(plan, LossMode::per_token).neg(), texts, record,
             &ProbeResult::first_response_logprob);
  });
}

}  // namespace seawall
