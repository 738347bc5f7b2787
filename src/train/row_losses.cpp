#include "seawall/train/row_losses.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>

namespace seawall {

std::vector<double> mean_row_losses(const Decoder& decoder, std::vector<Sequence> rows,
                                    std::int64_t max_tokens, const Tensor& embeddings) {
  constexpr std::size_t at_once = 64;
  const at::NoGradGuard no_grad;
  std::vector<double> out(rows.size(), std::numeric_limits<double>::quiet_NaN());
  std::vector<Sequence> part;
  std::vector<std::size_t> places;
  const auto flush = [&] {
    if (part.empty()) return;
    const BatchPlan plan = plan_batch(part, decoder.device(), {.embeddings = embeddings});
    const Tensor losses = decoder.loss(plan, LossMode::per_token).to(at::kCPU, at::kDouble);  // [N]
    const Tensor row_of = plan.target_row.to(at::kCPU);
    std::vector<double> sum(part.size()), count(part.size());
    const auto* loss = losses.const_data_ptr<double>();
    const auto* row = row_of.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < losses.numel(); ++i) {
      sum[static_cast<std::size_t>(row[i])] += loss[i];
      count[static_cast<std::size_t>(row[i])] += 1;
    }
    for (std::size_t i = 0; i < part.size(); ++i) out[places[i]] = sum[i] / count[i];
    part.clear();
    places.clear();
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Sequence& row = rows[i];
    if (max_tokens > 0 && row.ids.size() > static_cast<std::size_t>(max_tokens)) {
      row.ids.resize(static_cast<std::size_t>(max_tokens));
      row.loss.resize(row.ids.size());
    }
    if (!row.loss.empty()) row.loss[0] = 0;  // nothing before it to be predicted from
    if (std::find(row.loss.begin(), row.loss.end(), 1) == row.loss.end()) continue;
    part.push_back(std::move(row));
    places.push_back(i);
    if (part.size() == at_once) flush();
  }
  flush();
  return out;
}

}  // namespace seawall
