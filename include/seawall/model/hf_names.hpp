#pragma once
// The names under which the same weights are saved, and what may be saved with them.
#include <string>
#include <string_view>

namespace seawall {

/// A tensor's Hugging Face name: without what torch.compile, FSDP, DDP, PEFT and multimodal models
/// put before or inside it ("module.", "_orig_mod.", "base_model.model.", "language_model.", ...),
/// and with the "model." that base models lack.
std::string canonical_name(std::string_view stored);

/// What a file may hold beyond the language model's weights.
enum class Extra { none, buffer, other_part };
/// buffer: rotary tables, which the config says; other_part: a picture encoder or a value head.
Extra extra_of(std::string_view stored);

}  // namespace seawall
