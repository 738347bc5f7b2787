#pragma once
// Generation on a device: waiting prompts take the slots of answers that have ended.
#include <cstdint>
#include <vector>

#include "seawall/model/generate.hpp"

namespace seawall {

/// Whether the slots can choose the tokens: on a device, without `choose` and with no rules but
/// those of SlotRules. The others read the logits on the host, which decodes in batches then.
bool chooses_in_slots(const Decoder& decoder, const GenerateOptions& options);

/// What `generate` gives, from so many slots. The host reads what was chosen one step behind and
/// never waits for a step that it has just launched; prompts are run when a quarter of the slots is
/// free, or all that are left fit. Then slots that stay free are given up, half of them at a time.
/// max_new_tokens is at least 1.
GenerateResult generate_in_slots(const Decoder& decoder,
                                 const std::vector<std::vector<std::int32_t>>& prompts,
                                 const GenerateOptions& options, std::int64_t slots);

}  // namespace seawall
