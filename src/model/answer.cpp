#include "model/answer.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/model/not_finite.hpp"

namespace seawall {

std::int64_t room_of(const Decoder& decoder, const GenerateOptions& options, std::size_t prompt) {
  return std::min(options.max_new_tokens,
                  decoder.config().max_position_embeddings - static_cast<std::int64_t>(prompt) + 1);
}

bool take_token(const GenerateOptions& options, const std::vector<std::int32_t>& prompt,
                std::int64_t room, Generation& answer, std::int32_t id) {
  answer.finished = std::ranges::find(options.stop_ids, id) != options.stop_ids.end();
  if (!answer.finished) {
    answer.ids.push_back(id);
    answer.finished = options.ends && options.ends(prompt, answer.ids);
  }
  return answer.finished || static_cast<std::int64_t>(answer.ids.size()) >= room;
}

void throw_not_finite(const Decoder& decoder, const GenerateOptions& options,
                      const std::vector<std::int32_t>& prompt, const Generation& answer,
                      const std::string& which) {
  auto ids = prompt;
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  throw RunError(
      "generate: " + where_not_finite(decoder, {std::move(ids), {}}, options.embeddings) + " (" +
      which + ", token " + std::to_string(answer.ids.size()) + " of the answer)");
}

Tensor joined_streams(const std::vector<Tensor>& streams, const Decoder& decoder,
                      const GenerateOptions& options) {
  if (!streams.empty()) return at::stack(streams);
  return at::empty(
      {0, static_cast<std::int64_t>(options.answer_layers.size()), decoder.config().hidden_size},
      at::kFloat);
}

}  // namespace seawall
