#include "seawall/model/hf_names.hpp"

#include <array>

namespace seawall {
namespace {

/// Put in by wrappers, anywhere in a name.
constexpr std::array<std::string_view, 4> wrappers{
    "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module."};
/// Put before the whole.
constexpr std::array<std::string_view, 7> prefixes{
    "module.",      "base_model.model.",     "base_model.", "language_model.",
    "transformer.", "model.language_model.", "model.model."};
/// Of the base model, which is saved without `model.` when it is saved alone.
constexpr std::array<std::string_view, 3> base{"embed_tokens.", "layers.", "norm."};
constexpr std::array<std::string_view, 7> other_parts{
    "vision_tower.", "vision_model.", "multi_modal_projector.", "mm_projector.",
    "visual.",       "v_head.",       "image_newline"};

bool has_part(std::string_view name, std::string_view part) {
  const auto at = name.find(part);
  return at != std::string_view::npos && (at == 0 || name[at - 1] == '.');
}

}  // namespace

std::string canonical_name(std::string_view stored) {
  std::string name(stored);
  for (const auto part : wrappers)
    for (auto at = name.find(part); at != std::string::npos; at = name.find(part, at))
      if (at == 0 || name[at - 1] == '.')
        name.erase(at, part.size());
      else
        ++at;
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto prefix : prefixes) {
      if (!name.starts_with(prefix)) continue;
      // `model.model.` loses one of the two.
      name.erase(0, prefix == "model.model." ? prefix.size() / 2 : prefix.size());
      changed = true;
    }
  }
  if (name == "model.lm_head.weight") return "lm_head.weight";
  for (const auto part : base)
    if (name.starts_with(part)) return "model." + name;
  return name;
}

Extra extra_of(std::string_view stored) {
  if (has_part(stored, "rotary_emb.")) return Extra::buffer;
  for (const auto part : other_parts)
    if (has_part(stored, part)) return Extra::other_part;
  return Extra::none;
}

}  // namespace seawall
