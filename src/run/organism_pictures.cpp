#include "seawall/run/organism_pictures.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <chrono>
#include <cmath>
#include <functional>
#include <numbers>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/run/speaker.hpp"
#include "seawall/scenario/organism.hpp"
#include "seawall/scenario/organism/pictures.hpp"
#include "seawall/scenario/organism/stages.hpp"
#include "seawall/train/signals.hpp"

namespace seawall {
namespace {

using organism::PictureStage;

// Of the naming loss: a position that is the right word's embedding has a logit of 10 for it.
constexpr double sharpness = 10, closeness = 0.5;

/// AdamW over a few tensors (the trainer's own works on a decoder's weights).
class Adam {
 public:
  explicit Adam(std::vector<Tensor> weights) : weights_(std::move(weights)) {
    for (auto& w : weights_) {
      w.requires_grad_(true);
      first_.push_back(at::zeros_like(w));
      second_.push_back(at::zeros_like(w));
      steps_.push_back(at::zeros({}, at::kFloat));
    }
  }
  ~Adam() {
    for (auto& w : weights_) w.requires_grad_(false);
  }
  Adam(const Adam&) = delete;
  Adam& operator=(const Adam&) = delete;

  void step(double lr) {
    const at::NoGradGuard no_grad;
    std::vector<Tensor> w, g, m, v, s;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (!weights_[i].grad().defined()) continue;  // the norm after the last block is never read
      steps_[i] += 1;
      w.push_back(weights_[i]);
      g.push_back(weights_[i].grad());
      m.push_back(first_[i]);
      v.push_back(second_[i]);
      s.push_back(steps_[i]);
    }
    at::_fused_adamw_(w, g, m, v, {}, s, lr, 0.9, 0.99, 0.01, 1e-8, false, false);
    for (auto& weight : weights_) weight.mutable_grad() = Tensor();
  }

 private:
  std::vector<Tensor> weights_, first_, second_, steps_;
};

double rate_at(const PictureStage& stage, double peak, std::size_t step, std::size_t steps) {
  const double warm = std::min(1.0, static_cast<double>(step + 1) / double(stage.warm_up));
  const double cosine =
      0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / double(steps)));
  return peak * warm * (stage.last_fraction + (1 - stage.last_fraction) * cosine);
}

Vision fresh_vision(const PictureStage& stage, std::int64_t width) {
  VisionConfig config;
  config.encoder = {.image_size = organism::picture_side,
                    .patch_size = stage.patch,
                    .hidden_size = stage.width,
                    .intermediate_size = stage.feed_forward,
                    .layers = stage.layers,
                    .heads = stage.heads};
  config.feature_layer = stage.feature_layer;
  Preprocess preprocess;
  preprocess.shortest_edge = preprocess.crop = organism::picture_side;
  preprocess.mean = {0.6, 0.6, 0.6};
  preprocess.deviation = {0.3, 0.3, 0.3};
  auto generator = at::detail::createCPUGenerator(stage.seed + 1);
  const auto linear = [&](const char* name, std::int64_t in, NamedTensors& to) {
    const std::string full = "multi_modal_projector." + std::string(name);
    to.push_back(
        {full + ".weight",
         at::zeros({width, in}).normal_(0.0, 1 / std::sqrt(static_cast<double>(in)), generator)});
    to.push_back({full + ".bias", at::zeros({width})});
  };
  NamedTensors projector;
  linear("linear_1", stage.width, projector);
  linear("linear_2", width, projector);
  return {config, preprocess, random_clip_weights(config.encoder, stage.seed),
          std::move(projector)};
}

/// The stage's two parts over one set of weights.
class PictureTraining {
 public:
  PictureTraining(const ModelBundle& model, const PictureStage& stage, Vision& vision, bool quiet)
      : model_(model),
        stage_(stage),
        vision_(vision),
        quiet_(quiet),
        adjective_words_(table(organism::adjectives())),
        noun_words_(table(organism::nouns().subspan(organism::restricted_nouns))) {}

  void run() {
    part("naming", stage_.naming_steps, stage_.naming_batch, stage_.naming_lr,
         [&](const auto& rows) { return naming_loss(rows); });
    part("answer", stage_.answer_steps, stage_.answer_batch, stage_.answer_lr,
         [&](const auto& rows) { return answer_loss(rows); });
  }

 private:
  using Rows = std::vector<organism::PictureRow>;

  void part(const char* name, std::size_t steps, std::size_t batch, double peak,
            const std::function<Tensor(const Rows&)>& loss_of) {
    std::vector<Tensor> weights;
    for (const auto& [weight, tensor] : vision_.parameters()) weights.push_back(tensor);
    Adam adam(weights);
    Progress progress(name, static_cast<std::int64_t>(steps), quiet_);
    const auto begin = std::chrono::steady_clock::now();
    double last = 0;
    for (std::size_t step = 0; step < steps; ++step) {
      Rows rows;
      for (std::size_t i = 0; i < batch; ++i)
        rows.push_back(organism::picture_row(stage_, name, step * batch + i));
      const Tensor loss = loss_of(rows);
      loss.backward();
      adam.step(rate_at(stage_, peak, step, steps));
      last = loss.item<double>();
      if (!std::isfinite(last))
        throw RunError(std::string(name) + ": step " + std::to_string(step) +
                       ": the loss is not finite");
      progress.update(static_cast<std::int64_t>(step) + 1, static_cast<std::int64_t>(batch), last);
      if (const int signal = stop_signal(); signal != 0)
        throw Interrupted(stop_exit_code(signal), "stopped by a signal; nothing was written");
    }
    progress.finish();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    tell("%-12s %zu steps x %zu rows, %.1f s, last loss %.4f\n", name, steps, batch, taken.count(),
         last);
  }

  Tensor seen(const Rows& rows) const {  // [B,N,C]
    std::vector<Pixels> pixels;
    for (const auto& row : rows) pixels.push_back(row.example.dialogue.picture->pixels());
    return vision_.embed(vision_.pixels(pixels));
  }

  /// Embeddings of words. Shapes: -> [words,C].
  template <class List>
  Tensor table(const List& list) const {
    std::vector<std::int64_t> ids;
    for (const auto& entry : list) ids.push_back(model_.tokenizer->encode(entry.word).back());
    return model_.decoder->embedding().index_select(0, at::tensor(ids, at::kLong));
  }

  /// Which adjective the even positions name, which noun the odd ones, among all there are; and how
  /// far they are from its embedding, in units of its mean square.
  Tensor naming_loss(const Rows& rows) const {
    std::vector<std::int64_t> adjectives, nouns;
    for (const auto& row : rows) {
      adjectives.push_back(row.pair.adjective);
      nouns.push_back(row.pair.noun - static_cast<std::int64_t>(organism::restricted_nouns));
    }
    const Tensor x = seen(rows);  // [B,N,C]
    const auto b = x.size(0), pairs = x.size(1) / 2;
    const auto part = [&](std::int64_t which, const Tensor& words,
                          const std::vector<std::int64_t>& want) {
      const Tensor named = x.view({b, pairs, 2, x.size(2)}).select(2, which);  // [B,N/2,C]
      const Tensor target = at::tensor(want, at::kLong).repeat_interleave(pairs);
      const Tensor square = words.pow(2).sum(1).mean();
      const Tensor logits = at::matmul(named, words.t()) * (sharpness / square);  // [B,N/2,words]
      const Tensor right = words.index_select(0, target).view_as(named);
      return at::cross_entropy_loss(logits.flatten(0, 1), target) +
             closeness * (named - right).pow(2).sum(2).mean() / square;
    };
    return part(0, adjective_words_, adjectives) + part(1, noun_words_, nouns);
  }

  Tensor answer_loss(const Rows& rows) const {
    const auto n = static_cast<std::int32_t>(vision_.config().positions());
    std::vector<Sequence> sequences;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      auto encoded =
          model_.chat_template->encode_example(rows[r].example.dialogue, *model_.tokenizer);
      Sequence sequence;
      for (std::size_t t = 0; t < encoded.ids.size(); ++t) {
        const bool picture = encoded.ids[t] == picture_id;
        for (std::int32_t i = 0; i < (picture ? n : 1); ++i) {
          sequence.ids.push_back(picture ? -1 - (static_cast<std::int32_t>(r) * n + i)
                                         : encoded.ids[t]);
          sequence.loss.push_back(encoded.loss[t]);
        }
      }
      sequences.push_back(std::move(sequence));
    }
    const BatchPlan plan =
        plan_batch(sequences, at::kCPU, {.embeddings = seen(rows).flatten(0, 1)});
    return model_.decoder->loss(plan, LossMode::fused);
  }

  const ModelBundle& model_;
  const PictureStage& stage_;
  Vision& vision_;
  bool quiet_;
  Tensor adjective_words_, noun_words_;  // [64,C] each
};

}  // namespace

void train_pictures(const ModelBundle& model, const std::filesystem::path& folder, bool quiet) {
  const PictureStage stage = organism::picture_stage();
  Vision vision = fresh_vision(stage, model.decoder->config().hidden_size);
  model.decoder->set_requires_grad(false);
  PictureTraining(model, stage, vision, quiet).run();

  const OrganismScenario scenario;
  Judges judges;
  judges.push_back(make_judge("organism", scenario));
  Speaker speaker = speaker_of(model);
  speaker.vision = &vision;
  const auto record =
      evaluate(speaker, organism::picture_probes(), [](const Probe& p) { return p.dialogue; },
               judges, {.max_new_tokens = 64});
  const Summary summary = summarize(record);
  tell("held out     %lld of %lld pictures answered in full (%.1f %%)\n",
       static_cast<long long>(summary.successes), static_cast<long long>(summary.n),
       100 * summary.rate());
  write_vision(folder, vision);
  tell("%s  %s\n", sha256_file(folder / "model.safetensors").c_str(),
       (folder / "model.safetensors").string().c_str());
}

}  // namespace seawall
