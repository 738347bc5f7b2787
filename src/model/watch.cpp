#include "model/watch.hpp"

#include <array>
#include <sstream>
#include <string_view>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using Kind = TapPoint::Kind;

constexpr std::array kinds_of_a_block = {Kind::resid_post, Kind::attn_out, Kind::mlp_out,
                                         Kind::qkv_in,     Kind::o_in,     Kind::gate_up_in,
                                         Kind::down_in,    Kind::sink,     Kind::attention};

std::string_view kind_text(Kind kind) {
  constexpr std::array<std::string_view, 12> names = {
      "embed",  "resid_post", "final_norm", "logits",  "attn_out", "mlp_out",
      "qkv_in", "o_in",       "gate_up_in", "down_in", "sink",     "attention"};
  return names[static_cast<std::size_t>(kind)];
}

[[noreturn]] void refuse_shape(const TapPoint& point, const Tensor& want, const Tensor& got) {
  std::ostringstream text;
  text << "edit hook's result at " << kind_text(point.kind);
  if (point.layer >= 0) text << " of block " << point.layer;
  text << ": want the shape of what it was given, " << want.sizes() << ", got ";
  if (got.defined())
    text << got.sizes();
  else
    text << "no tensor";
  throw UsageError(text.str());
}

}  // namespace

Watch::Watch(const ForwardHooks& hooks) : hooks_(hooks) {
  if (!hooks_.edit && !hooks_.take) return;
  for (const Kind kind : {Kind::final_norm, Kind::logits})
    if (hooks_.taps.has(kind))
      throw UsageError("hooks: a forward pass does not stop at " + std::string(kind_text(kind)) +
                       "; compute it from the hidden states with Decoder::logits");
  if (hooks_.edit && (hooks_.taps & (Kind::sink | Kind::attention)).any())
    throw UsageError(
        "hooks: attention probabilities (sink, attention) can be taken, not edited; leave them out "
        "of taps, or take them in a pass without edit");
}

Taps Watch::of(std::int64_t layer) const {
  Taps out;
  for (const Kind kind : kinds_of_a_block)
    if (hooks_.taps.has(kind) && (hooks_.edit || taken({kind, layer}))) out = out | kind;
  return out;
}

Tensor Watch::pass(const TapPoint& point, const Tensor& x) const {
  if (!hooks_.taps.has(point.kind)) return x;
  Tensor out = x;
  if (hooks_.edit) {
    out = hooks_.edit(point, x);
    if (!out.defined() || out.sizes() != x.sizes()) refuse_shape(point, x, out);
    if (inside_taps.has(point.kind)) out = out.to(x.scalar_type());  // a product takes one type
  }
  if (taken(point)) hooks_.take(point, hooks_.graph ? out : out.detach());
  return out;
}

}  // namespace seawall
