#include "seawall/eval/probe_prompts.hpp"

#include <algorithm>
#include <exception>
#include <new>

#include "seawall/core/error.hpp"
#include "seawall/core/rethrow.hpp"

namespace seawall {
namespace {

/// Why the model cannot read these ids; empty if it can. Ids below 0 are places of a picture.
std::string why_unfit(const TokenIds& ids, const LlamaConfig& config) {
  const auto length = static_cast<std::int64_t>(ids.size());
  if (length == 0) return "its prompt is empty";
  if (length > config.max_position_embeddings)
    return "its prompt is too long: " + std::to_string(length) +
           " tokens, and the model's context holds " +
           std::to_string(config.max_position_embeddings);
  for (const auto id : ids)
    if (id >= config.vocab_size)
      return "token " + std::to_string(id) + " is outside the vocabulary of " +
             std::to_string(config.vocab_size) + "; does the tokenizer belong to this model?";
  return "";
}

std::string first_line(const char* text) {
  const std::string whole = text;
  return whole.substr(0, whole.find('\n'));
}

void place_picture(const Speaker& speaker, const Dialogue& dialogue,
                   std::optional<PictureRows>& pictures, TokenIds& ids) {
  if (speaker.vision == nullptr)
    throw DataError("it has a picture, and the model has no picture encoder; give --vision");
  if (!pictures) pictures.emplace(*speaker.vision);
  pictures->place(*dialogue.picture, ids);
}

}  // namespace

std::vector<ProbePrompt> probe_prompts(const Speaker& speaker, const std::vector<Probe>& probes,
                                       const std::function<Dialogue(const Probe&)>& ask,
                                       std::optional<PictureRows>& pictures) {
  std::vector<ProbePrompt> out;
  out.reserve(probes.size());
  for (const auto& probe : probes) {
    ProbePrompt prompt;
    try {
      const Dialogue dialogue = ask(probe);
      prompt.text = dialogue.last(Role::user);
      prompt.prefill = dialogue.prefill();
      prompt.picture = dialogue.picture != nullptr;
      prompt.rendered = speaker.chat_template.render(dialogue, true);
      prompt.ids = speaker.chat_template.encode_prompt(dialogue, speaker.tokenizer);
      prompt.no_answer = why_unfit(prompt.ids, speaker.decoder.config());
      if (prompt.picture && prompt.no_answer.empty()) {
        place_picture(speaker, dialogue, pictures, prompt.ids);
        prompt.no_answer = why_unfit(prompt.ids, speaker.decoder.config());
      }
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) throw;
      prompt.no_answer = first_line(error.what());
    }
    if (!prompt.no_answer.empty()) prompt.ids.clear();
    out.push_back(std::move(prompt));
  }
  return out;
}

std::string unfit_probes(const std::vector<Probe>& probes, const std::vector<ProbePrompt>& prompts,
                         const std::string& what) {
  const auto bad = [](const ProbePrompt& p) { return !p.no_answer.empty(); };
  const auto first = std::ranges::find_if(prompts, bad);
  if (first == prompts.end()) return "";
  const auto count = std::ranges::count_if(prompts, bad);
  return std::to_string(count) + " of " + std::to_string(prompts.size()) + " " + what +
         " cannot be asked (first: probe " +
         probes[static_cast<std::size_t>(first - prompts.begin())].id + ": " + first->no_answer +
         ")";
}

bool none_fits(const std::vector<ProbePrompt>& prompts) {
  return std::ranges::all_of(prompts, [](const ProbePrompt& p) { return !p.no_answer.empty(); });
}

}  // namespace seawall
