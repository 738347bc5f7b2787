// Which probes and rows the model cannot read, found out before anything trains.

#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/eval/probe_prompts.hpp"
#include "seawall/run/arm.hpp"
#include "seawall/run/speaker.hpp"

namespace seawall {

std::vector<ProbePrompt> Arm::prompts_of(const std::vector<Probe>& probes,
                                         const Condition& condition) const {
  std::optional<PictureRows> pictures;
  return probe_prompts(
      speaker_of(model_), probes, [&](const Probe& p) { return arm_dialogue_(ask(p, condition)); },
      pictures);
}

void Arm::check_probes() const {
  if (spec_.no_evaluation) return;
  const std::int64_t context = model_.decoder->config().max_position_embeddings;
  for (const auto& condition : attack_.conditions())
    for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility}) {
      const auto& probes = scenario_->probes(set);
      if (probes.empty()) continue;
      const std::string what =
          std::string(set == ProbeSet::harmfulness ? "harmfulness" : "utility") +
          " probes, condition " + condition.name + ",";
      const auto prompts = prompts_of(probes, condition);
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
        cut += length > 0 && length + spec_.max_new_tokens > context + 1;
      }
      if (cut > 0 && !spec_.quiet)
        warn(
            "seawall: %zu of %zu %s leave less than --max-new-tokens %lld of the context "
            "of %lld tokens; their answers end there at the latest\n",
            cut, probes.size(), what.c_str(), static_cast<long long>(spec_.max_new_tokens),
            static_cast<long long>(context));
    }
}

void Arm::check_rows(const Dataset& rows, const std::vector<Sequence>& encoded) const {
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
