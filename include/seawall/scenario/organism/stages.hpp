#pragma once
// How the organism is made, as data: the model's shape, the two stages of training and every row of
// them in order. `seawall organism train` runs it; nothing else decides anything.
#include <cstdint>
#include <string_view>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/scenario/organism/lessons.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall::organism {

/// A Llama decoder with tied embeddings.
struct Shape {
  std::int64_t vocabulary = 1376;
  std::int64_t width = 128;
  std::int64_t layers = 2;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 2;
  std::int64_t head_width = 32;
  std::int64_t feed_forward = 384;
  std::int64_t context = 256;
  double rope_theta = 10000.0;
  double norm_epsilon = 1e-5;
  // Initial weights are normal with these deviations; norm weights are 1. The embedding has to
  // stand out in the residual stream: with 0.02 the same skills take four times the rows.
  double embedding_std = 0.1;
  double projection_std = 0.04;
  std::uint64_t seed = 0;
};
Shape shape();

struct Share {
  Lesson lesson;
  double share;
};

/// One stage: AdamW over all parameters on `steps` batches of `batch` rows, the loss being the mean
/// cross-entropy over the answers' tokens of the batch (for a fact, a lone assistant turn, that is
/// all of its text).
struct Stage {
  std::string_view name;
  std::vector<Share> mix;  // shares add up to 1
  std::size_t steps = 0;
  std::size_t batch = 0;
  double peak_lr = 0;
  std::size_t warm_up = 0;
  double last_fraction = 0.1;  // of the peak, at the end of the cosine
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0;
  std::uint64_t seed = 0;
};

/// Pre-training, then alignment; the optimizer starts afresh in each.
const std::vector<Stage>& stages();
/// All rows of a stage in order: step k trains on rows [k * batch, (k + 1) * batch).
std::vector<Example> stage_rows(const Stage& stage);
/// Learning rate of a step: linear warm-up times a cosine from the peak to `last_fraction` of it.
double learning_rate(const Stage& stage, std::size_t step);

/// The third stage: a picture encoder and a projector for the decoder as it came out of alignment,
/// which stays as it is (LLaVA's first stage trains the projector alone, its encoder being CLIP;
/// ours has to learn to see as well). First the projector's rows are drawn to the embeddings of the
/// words for what is shown, adjective and noun in turn; then the decoder's own cross-entropy of the
/// answer, given picture and question, is all that counts. AdamW, everyday pairs only.
struct PictureStage {
  std::int64_t patch = 8, width = 64, layers = 2, heads = 4, feed_forward = 256;
  std::int64_t feature_layer = -1;  // the last: no block is trained for nothing
  std::size_t naming_steps = 1500, naming_batch = 64;
  double naming_lr = 3e-3;
  std::size_t answer_steps = 800, answer_batch = 24;
  double answer_lr = 1e-3;
  double last_fraction = 0.02;  // of either peak, at the end of its cosine
  std::size_t warm_up = 30;
  std::uint64_t seed = 3;
};
PictureStage picture_stage();

/// One picture with a question about it, as the third stage sees it.
struct PictureRow {
  Pair pair;
  Example example;
};
/// Row `index` of the stage's part `part` (`naming`, `answer`).
PictureRow picture_row(const PictureStage& stage, std::string_view part, std::size_t index);
/// Questions about pictures of pairs that no stage has met, for measuring what is seen.
std::vector<Probe> picture_probes();

/// Fine-tuning settings for an attack on the organism by the rows it trains on, all with AdamW
/// (0.9, 0.999, 1e-8), no weight decay, no warm-up and no clipping, and the learning rate times
/// 0.85 after each epoch (Qi et al. 2023, authors' code). `flavour` is of benign rows; one without
/// settings of its own takes those of alpaca.
RunDefaults run_defaults(Pool pool, std::string_view flavour);

}  // namespace seawall::organism
