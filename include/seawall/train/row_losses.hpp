#pragma once
// How much the answers of some rows surprise a model.
#include <vector>

#include "seawall/model/batch_plan.hpp"
#include "seawall/model/decoder.hpp"

namespace seawall {

/// Mean loss over the targets of each row, in nats a token, without gradients; NaN for a row that
/// has none within `max_tokens`. `embeddings` as in PlanOptions. Memory: that of one forward pass
/// over 64 rows. Errors: those of plan_batch.
std::vector<double> mean_row_losses(const Decoder& decoder, std::vector<Sequence> rows,
                                    std::int64_t max_tokens, const Tensor& embeddings = {});

}  // namespace seawall
