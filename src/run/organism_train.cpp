#include "seawall/run/organism_train.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <limits>
#include <memory>

#include "run/organism_config.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/model/files.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/organism_pictures.hpp"
#include "seawall/scenario/organism/stages.hpp"
#include "seawall/scenario/organism/tokenizer_model.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {
namespace {

/// random_weights draws everything with a deviation of 0.02; the recipe has its own for embedding
/// and projections.
NamedTensors start_weights(const LlamaConfig& config, const organism::Shape& shape) {
  constexpr double drawn = 0.02;
  NamedTensors weights = random_weights(config, shape.seed);
  for (auto& [name, tensor] : weights) {
    if (name.find("norm") != std::string::npos) continue;
    tensor.mul_(
        (name.find("embed") != std::string::npos ? shape.embedding_std : shape.projection_std) /
        drawn);
  }
  return weights;
}

/// Draws the bar; a stage keeps no trace.
struct StageSink final : TraceSink {
  StageSink(const organism::Stage& stage, bool quiet)
      : progress(std::string(stage.name), static_cast<std::int64_t>(stage.steps), quiet) {}
  void on_step(const StepRecord& record) override {
    progress.update(record.step, record.tokens, record.loss);
    last = record.loss;
  }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
  Progress progress;
  double last = std::numeric_limits<double>::quiet_NaN();
};

void train_stage(const organism::Stage& stage, ModelBundle& model, bool quiet) {
  Dataset rows{.name = std::string(stage.name), .rows = organism::stage_rows(stage)};
  const auto sequences = encode_rows(rows, *model.chat_template, *model.tokenizer);
  const auto batch = static_cast<std::int64_t>(stage.batch),
             steps = static_cast<std::int64_t>(stage.steps);
  GeneratedRows source(
      [&](std::int64_t step) {
        const auto begin = sequences.begin() + step * batch;
        return std::vector<Sequence>(begin, begin + batch);
      },
      steps, 0, DataOptions{.batch_size = batch, .order = RowOrder::as_given},
      model.decoder->device());
  TrainOptions options;
  options.schedule = {.kind = LrSchedule::cosine,
                      .lr = stage.peak_lr,
                      .final_fraction = stage.last_fraction,
                      .warmup_steps = static_cast<std::int64_t>(stage.warm_up)};
  options.adamw = {.beta1 = stage.beta1,
                   .beta2 = stage.beta2,
                   .eps = stage.epsilon,
                   .weight_decay = stage.weight_decay};
  options.seed = stage.seed;
  StageSink sink(stage, quiet);
  Stack<> none;
  const TrainResult result = train(*model.decoder, source, none, options, sink);
  sink.progress.finish();
  tell("%-12s %lld steps x %lld rows, %.1f s, last loss %.4f\n", std::string(stage.name).c_str(),
       static_cast<long long>(steps), static_cast<long long>(batch), result.seconds, sink.last);
}

void write_model(const std::filesystem::path& folder, const ModelBundle& model) {
  const Tokenizer& t = *model.tokenizer;
  EndIds ends{.bos = t.bos_id(), .eos = {}};
  if (t.eos_id()) ends.eos.push_back(*t.eos_id());
  write_hf_folder(folder, model.decoder->config(), model.decoder->parameters(), ends);
  t.save(folder);
  for (const char* file : {"model.safetensors", "tokenizer.model"})
    tell("%s  %s\n", sha256_file(folder / file).c_str(), (folder / file).string().c_str());
}

}  // namespace

void train_organism(const std::filesystem::path& folder, bool quiet) {
  ModelBundle model;
  model.tokenizer = make_sentencepiece(organism::train_tokenizer(), "the organism's tokenizer");
  model.chat_template = make_chat_template("organism");
  const organism::Shape shape = organism::shape();
  const LlamaConfig config = organism_config(shape);
  if (model.tokenizer->vocab_size() != config.vocab_size)
    throw RunError("organism train: the tokenizer came out with " +
                   std::to_string(model.tokenizer->vocab_size()) + " pieces, the recipe wants " +
                   std::to_string(config.vocab_size));
  model.decoder = std::make_unique<Decoder>(config, start_weights(config, shape));
  const auto& stages = organism::stages();
  train_stage(stages.front(), model, quiet);
  write_model(folder / "base", model);
  for (auto stage = stages.begin() + 1; stage != stages.end(); ++stage)
    train_stage(*stage, model, quiet);
  write_model(folder, model);
  train_pictures(model, folder / "vision", quiet);
}

}  // namespace seawall
