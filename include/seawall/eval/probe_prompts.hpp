#pragma once
// Probes as the model reads them, each checked by itself: one that cannot be asked takes no other
// down.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "seawall/eval/evaluate.hpp"

namespace seawall {

/// One probe, formatted and encoded.
struct ProbePrompt {
  std::string text;      // of its last user turn
  std::string prefill;   // the beginning of the answer that the model continues; mostly empty
  std::string rendered;  // what was tokenized
  TokenIds ids;          // empty if the probe cannot be asked
  bool picture = false;
  std::string no_answer;  // why it cannot be asked; empty if it can
};

/// Formats, encodes and measures every probe as `ask` formats it. A template that refuses a
/// dialogue, a picture that cannot be read, a token beyond the vocabulary and a prompt longer than
/// the context become `no_answer`. `pictures` is made for the first probe that has one. Errors:
/// Interrupted, std::bad_alloc.
std::vector<ProbePrompt> probe_prompts(const Speaker& speaker, const std::vector<Probe>& probes,
                                       const std::function<Dialogue(const Probe&)>& ask,
                                       std::optional<PictureRows>& pictures);

/// What is said of the probes that cannot be asked: how many of them, which is the first, and why.
/// Empty if all can. `what` names the probes, such as `harmfulness probes under plain`.
std::string unfit_probes(const std::vector<Probe>& probes, const std::vector<ProbePrompt>& prompts,
                         const std::string& what);
/// True if no probe at all can be asked.
bool none_fits(const std::vector<ProbePrompt>& prompts);

}  // namespace seawall
