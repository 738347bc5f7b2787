#include "seawall/device/flash.hpp"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall::device {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Kept : torch::CustomClassHolder {
  std::shared_ptr<const AttentionParts> parts;
  Tensor unused;  // flash attention's state of dropout, which there is none of
};

/// With queries one a sequence flash attention folds heads into them, and wants each to have one.
std::int64_t longest(const AttentionPart& part) { return std::max<std::int64_t>(part.longest, 2); }

struct Part {
  Tensor q, k, v;
  Part(const AttentionPart& part, const Tensor& all_q, const Tensor& all_k, const Tensor& all_v)
      : q(all_q.narrow(0, part.first_query, part.queries)),
        k(all_k.narrow(0, part.first_key, part.keys)),
        v(all_v.narrow(0, part.first_key, part.keys)) {}
};

/// Shapes: -> [queries,H,D], [H,queries] fp32.
std::pair<Tensor, Tensor> forward_part(const AttentionPart& part, const Part& in, double scale,
                                       Tensor& unused) {
  auto [out, lse, state, none, mask] = at::_flash_attention_forward(
      in.q, in.k, in.v, part.query_ends, part.key_ends, longest(part), longest(part),
      /*dropout_p=*/0, part.causal, /*return_debug_mask=*/false, scale);
  unused = state;
  return {out, lse};
}

/// Adds `other` to `out`, and returns the log-sum-exp of both. Shapes: [n,H,D], [H,n].
Tensor merge(Tensor out, const Tensor& lse, const Tensor& other, const Tensor& other_lse) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("seawall::merge_attention", "")
                             .typed<Tensor(Tensor&, const Tensor&, const Tensor&, const Tensor&)>();
  return op.call(out, lse, other, other_lse);
}

/// While it lives libtorch's attention adds gradients in a fixed order, as it does if told to be
/// deterministic and not only to warn.
class FixedOrder {
 public:
  FixedOrder()
      : before_(at::globalContext().deterministicAlgorithms()),
        warns_(at::globalContext().deterministicAlgorithmsWarnOnly()) {
    at::globalContext().setDeterministicAlgorithms(true, false);
  }
  ~FixedOrder() { at::globalContext().setDeterministicAlgorithms(before_, warns_); }
  FixedOrder(const FixedOrder&) = delete;
  FixedOrder& operator=(const FixedOrder&) = delete;

 private:
  bool before_, warns_;
};

/// Cards before Ampere have none.
bool card_has_flash(const Tensor& q) {
  if (!q.is_cuda()) return true;
  constexpr std::int64_t flash = 1;  // sdp::SDPBackend
  static const bool has = [&q] {
    const Tensor x = at::zeros({1, 1, 8, 64}, q.options().requires_grad(false));
    return at::_fused_sdp_choice(x, x, x) == flash;
  }();
  return has;
}

struct FlashAttention : torch::autograd::Function<FlashAttention> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& k, const Tensor& v,
                        std::shared_ptr<const AttentionParts> parts, double scale) {
    auto kept = c10::make_intrusive<Kept>();
    const auto& list = parts->list;
    auto [out, lse] = forward_part(list[0], Part(list[0], q, k, v), scale, kept->unused);
    for (std::size_t i = 1; i < list.size(); ++i) {
      const auto& part = list[i];
      const auto [more, more_lse] = forward_part(part, Part(part, q, k, v), scale, kept->unused);
      const Tensor here = lse.narrow(1, part.first_query, part.queries);
      here.copy_(merge(out.narrow(0, part.first_query, part.queries), here, more, more_lse));
    }
    kept->parts = std::move(parts);
    ctx->save_for_backward({q, k, v, out, lse});
    ctx->saved_data["kept"] = c10::IValue::make_capsule(std::move(kept));
    ctx->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& d_out) {
    if (at::GradMode::is_enabled())
      throw RunError("the operators of a device have no second derivative");
    const auto saved = ctx->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
    const auto kept = c10::static_intrusive_pointer_cast<Kept>(ctx->saved_data["kept"].toCapsule());
    const Tensor dy = d_out[0].contiguous();
    const FixedOrder fixed;
    Tensor dq, dk, dv;
    for (const auto& part : kept->parts->list) {
      const Part in(part, q, k, v);
      const auto mine = [&](const Tensor& t) {
        return t.narrow(0, part.first_query, part.queries);
      };
      // The share of one part: probabilities by the log-sum-exp of all, with the result of all.
      auto [pq, pk, pv] = at::_flash_attention_backward(
          mine(dy), in.q, in.k, in.v, mine(out),
          lse.narrow(1, part.first_query, part.queries).contiguous(), part.query_ends,
          part.key_ends, longest(part), longest(part), /*dropout_p=*/0, part.causal, kept->unused,
          kept->unused, ctx->saved_data["scale"].toDouble());
      if (!dq.defined()) {
        dq = pq, dk = pk, dv = pv;
        continue;
      }
      mine(dq).add_(pq);
      dk.narrow(0, part.first_key, part.keys).add_(pk);
      dv.narrow(0, part.first_key, part.keys).add_(pv);
    }
    return {dq, dk, dv, Tensor(), Tensor()};
  }
};

}  // namespace

bool flash_takes(const Tensor& q) {
  const auto type = q.scalar_type();
  return !q.is_cpu() && !q.is_meta() && (type == at::kBFloat16 || type == at::kHalf) &&
         q.size(2) % 8 == 0 && q.size(2) <= 256 && card_has_flash(q);
}

Tensor flash_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                       std::shared_ptr<const AttentionParts> parts, double scale) {
  return FlashAttention::apply(q.contiguous(), k.contiguous(), v.contiguous(), std::move(parts),
                               scale);
}

Tensor flash_decode(const Tensor& q, const SlotKeys& keys, double scale) {
  // max_q = 1 is right here, as each sequence has exactly one query: heads that share keys become
  // queries of one tile, and the keys of a sequence are split over several blocks.
  return std::get<0>(at::_flash_attention_forward(
      q, keys.k, keys.v, keys.queries, keys.begins, /*max_q=*/1, keys.widest, /*dropout_p=*/0,
      /*is_causal=*/false, /*return_debug_mask=*/false, scale, /*window_size_left=*/std::nullopt,
      /*window_size_right=*/std::nullopt, keys.used));
}

}  // namespace seawall::device
