// `organism train`: makes the built-in model from its recipe, bit for bit on the same kind of
// machine.
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>

#include "cli/organism_config.hpp"
#include "cli/organism_pictures.hpp"
#include "seawall/cli/bundle.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/model/files.hpp"
#include "seawall/scenario/organism/recipe.hpp"
#include "seawall/scenario/organism/tokenizer_model.hpp"
#include "seawall/store/atomic_file.hpp"
#include "seawall/train/signals.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall::commands {
namespace {

struct OrganismOptions {
  std::string out;
  // One, whatever the machine has: sums are split by thread, so the bits depend on it.
  std::int64_t threads = 1;
  std::string from;
  bool overwrite = false, quiet = false;
  static constexpr void visit(auto& self, auto&& field) {
    field(self.out,
          OptionInfo{.name = "out",
                     .help = "folder to write: config.json, model.safetensors, tokenizer.model, "
                             "vision/"});
    field(self.from, OptionInfo{.name = "from",
                                .help = "train the picture encoder alone, for the decoder of this "
                                        "folder (or `organism`)"});
    field(self.threads, OptionInfo{.name = "threads",
                                   .help = "CPU threads; other counts give other bits",
                                   .min = 1,
                                   .max = 4096});
    field(self.overwrite,
          OptionInfo{.name = "overwrite", .help = "write into a folder that is not empty"});
    field(self.quiet, OptionInfo{.name = "quiet", .help = "no progress"});
  }
};

/// random_weights draws everything with a deviation of 0.02; the recipe has its own for embedding
/// and projections.
NamedTensors start_weights(const LlamaConfig& config, const organism::Shape& shape) {
  constexpr double kDrawn = 0.02;
  NamedTensors weights = random_weights(config, shape.seed);
  for (auto& [name, tensor] : weights) {
    if (name.find("norm") != std::string::npos) continue;
    tensor.mul_(
        (name.find("embed") != std::string::npos ? shape.embedding_std : shape.projection_std) /
        kDrawn);
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
  std::printf("%-12s %lld steps x %lld rows, %.1f s, last loss %.4f\n",
              std::string(stage.name).c_str(), static_cast<long long>(steps),
              static_cast<long long>(batch), result.seconds, sink.last);
}

}  // namespace

int organism(const Program&, const Words& words) {
  namespace fs = std::filesystem;
  std::string verb;
  OrganismOptions options;
  CommandLine line("seawall organism train --out FOLDER [options]",
                   "Pre-trains and aligns the built-in model from nothing and teaches it to see, "
                   "in a few minutes; the "
                   "same bits every time on the same kind of machine.");
  line.positional("train", "what to do", verb);
  line.add(options, "Options");
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (verb != "train") throw UsageError("organism " + verb + ": want `organism train`");
  if (options.out.empty()) throw UsageError("organism train: want --out FOLDER");
  const fs::path folder = options.out;
  if (fs::exists(folder) &&
      (!fs::is_directory(folder) || (!fs::is_empty(folder) && !options.overwrite)))
    throw UsageError("--out " + folder.string() +
                     ": not an empty folder; give another, or --overwrite");
  prepare_folder(folder);
  set_threads(options.threads);
  SignalGuard signals;

  if (!options.from.empty()) {
    train_pictures(load_model(options.from, "cpu", "organism"), folder / "vision", options.quiet);
    return 0;
  }
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
  for (const auto& stage : organism::stages()) train_stage(stage, model, options.quiet);

  const Tokenizer& t = *model.tokenizer;
  EndIds ends{.bos = t.bos_id(), .eos = {}};
  if (t.eos_id()) ends.eos.push_back(*t.eos_id());
  write_hf_folder(folder, config, model.decoder->parameters(), ends);
  t.save(folder);
  for (const char* file : {"model.safetensors", "tokenizer.model"})
    std::printf("%s  %s\n", sha256_file(folder / file).c_str(), (folder / file).string().c_str());
  train_pictures(model, folder / "vision", options.quiet);
  return 0;
}

}  // namespace seawall::commands
