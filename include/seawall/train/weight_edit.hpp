#pragma once
// An edit of weights without training, recorded as one step without a loss.
#include <functional>

#include "seawall/train/session.hpp"

namespace seawall {

/// Lets `edit` write the weights (Param::master), puts them into the decoder and evaluates as the
/// context says. The record has a loss, a penalty, a gradient norm and a learning rate of NaN.
/// Errors: RunError if a weight is no longer finite; what `edit` throws.
TrainResult edit_weights(Decoder& decoder, const TrainOptions& options, TraceSink& sink,
                         const TrainContext& context, const std::function<void(Trainer&)>& edit);

}  // namespace seawall
