// Rows and probes as the model reads them: what it cannot read is found before anything trains.
#include <algorithm>

#include "run/run_checks.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/eval/probe_prompts.hpp"
#include "seawall/parallel/world.hpp"
#include "seawall/run/run.hpp"
#include "seawall/run/speaker.hpp"

namespace seawall {

void LocalBackend::prepare(Run& run) {
  merged_system_ =
      merged_system(*model_.chat_template, run.rows(), run.sets(), run.conditions(),
                    [&run](const Probe& p, const Condition& c) { return run.prompt(p, c); });
  if (!run.spec().place.quiet && merged_system_.rows + merged_system_.probes > 0)
    tell(
        "template     has no system turn: the system text of %zu rows and %zu probes goes "
        "before their first user turn\n",
        merged_system_.rows, merged_system_.probes);
  check_stages(run.stages());
  for (const Stage& stage : run.stages()) encode(run, stage);
  if (!run.spec().evaluation.none) check_probes(run);
}

std::int64_t LocalBackend::longest_row(const TrainingSpec& training) const {
  const std::int64_t context = model_.decoder->config().max_position_embeddings;
  return training.max_tokens > 0 ? std::min(training.max_tokens, context) : context;
}

void LocalBackend::encode(Run& run, const Stage& stage) {
  LocalStage& here = stages_.emplace_back();
  here.first_step = stages_.size() == 1 ? 0
                                        : stages_[stages_.size() - 2].first_step +
                                              stages_[stages_.size() - 2].steps();
  here.owned = stage.owner != Stage::attackers;
  if (stage.tampers) return;
  if (!run.spec().model.adapter.empty() && stage.training.lora.rank > 0)
    throw UsageError("stage " + stage.name + ": trains a LoRA of its own (rank " +
                     std::to_string(stage.training.lora.rank) +
                     "), and --adapter is trained on with its own; merge it first (seawall export "
                     "--adapter ... --format safetensors) and give that folder as --model");
  const std::int64_t longest = longest_row(stage.training);
  auto [sequences, embeddings] = encode_all(model_, stage.rows, run.spec().model.vision);
  check_rows(stage.rows, sequences);
  here.source = std::make_unique<FixedRows>(
      std::move(sequences),
      DataOptions{.batch_size = stage.training.batch_size.value_or(10),
                  .micro_batch_size = stage.training.micro_batch_size,
                  .epochs = stage.training.epochs.value_or(1),
                  .steps = stage.training.steps,
                  .max_tokens = longest,
                  .order = RowOrder::as_given,
                  .seed = static_cast<std::uint64_t>(run.spec().seed),
                  .embeddings = std::move(embeddings),
                  .rank = world_ ? world_->rank() : 0,
                  .ranks = world_ ? world_->size() : 1},
      model_.decoder->device().is_meta() ? at::Device(at::kCPU) : model_.decoder->device());
  if (&stage == &run.stages().back()) check_evaluation_places(run, *here.source);
  const DataReport& report = here.source->report();
  if (run.spec().place.quiet) return;
  if (report.truncated > report.left_out)
    warn("seawall: %lld rows cut to %lld tokens, the end of their answer is lost\n",
         static_cast<long long>(report.truncated - report.left_out),
         static_cast<long long>(longest));
  if (report.left_out > 0)
    warn("seawall: %lld rows left out, their answer does not fit into %lld tokens (%s)\n",
         static_cast<long long>(report.left_out), static_cast<long long>(longest),
         report.first_left_out.c_str());
}

std::vector<ProbePrompt> LocalBackend::prompts_of(const Run& run, const std::vector<Probe>& probes,
                                                  const Condition& condition) const {
  std::optional<PictureRows> pictures;
  return probe_prompts(
      speaker_of(model_), probes, [&](const Probe& p) { return run.prompt(p, condition); },
      pictures);
}

void LocalBackend::check_probes(const Run& run) const {
  const std::int64_t context = model_.decoder->config().max_position_embeddings;
  const std::int64_t longest = *run.spec().evaluation.max_new_tokens;
  run.each_set([&](const Condition& condition, ProbeSet set, const std::vector<Probe>& probes) {
    const std::string what = probe_set_name(set) + " probes, condition " + condition.name + ",";
    const auto prompts = prompts_of(run, probes, condition);
    const std::string unfit = unfit_probes(probes, prompts, what);
    if (none_fits(prompts))
      throw DataError(unfit + "; nothing was trained; give probes that the model can read");
    if (!unfit.empty())
      warn(
          "seawall: %s; they count as not judged and widen the interval; shorten or "
          "remove them if that is not what you want\n",
          unfit.c_str());
    std::size_t cut = 0;
    for (const auto& prompt : prompts) {
      const auto length = static_cast<std::int64_t>(prompt.ids.size());
      cut += length > 0 && length + longest > context + 1;
    }
    // What was not asked for need not fit; answers that are cut are counted.
    if (cut > 0 && !run.spec().place.quiet && run.length_given())
      warn(
          "seawall: %zu of %zu %s leave less than --max-new-tokens %lld of the context "
          "of %lld tokens; their answers end there at the latest\n",
          cut, probes.size(), what.c_str(), static_cast<long long>(longest),
          static_cast<long long>(context));
  });
}

void LocalBackend::check_rows(const Dataset& rows, const std::vector<Sequence>& encoded) const {
  const std::int64_t vocabulary = model_.decoder->config().vocab_size;
  for (std::size_t i = 0; i < encoded.size(); ++i)
    for (const auto id : encoded[i].ids)
      if (id >= vocabulary) {
        const std::string& name = rows.rows[i].id;
        throw DataError("row " + (name.empty() ? std::to_string(i) : name) + ": token " +
                        std::to_string(id) + " is outside the vocabulary of " +
                        std::to_string(vocabulary) +
                        "; does the tokenizer belong to this model? Nothing was trained");
      }
}

}  // namespace seawall
