#pragma once
// AdamW with what moved and how far from the start, in one pass over the weights.
#include "seawall/device/rows/team.hpp"

namespace seawall::rows {

/// The scalars of one AdamW step, as `at::_fused_adamw_` forms them.
struct AdamWScalars {
  float decay = 1;  // 1 - lr * weight_decay; skipped at 1
  float lerp = 0;   // 1 - beta1
  float beta2 = 0;
  float square = 0;           // 1 - beta2
  float root_correction = 1;  // sqrt(1 - beta2^t)
  float eps = 0;
  float minus_step = 0;  // -lr / (1 - beta1^t)
};

/// A tensor's weights with what AdamW keeps of them. Moments are stored as weights are; the start
/// of fp32 weights may be bf16, which widened is the same.
template <class Weight, class Grad, class Start = Weight>
struct AdamWTensors {
  Weight* weight;
  const Grad* grad;
  Weight *m, *v;
  const Start* start;
  Bf16* term;     // Kahan: what rounding lost of each weight; null for none
  float* master;  // where given, the new weight before it is rounded
};

/// One weight; `kahan` says whether it has a term. `facts`: how many changed, and the square of
/// their distance from the start.
template <class Weight, class Grad, class Start>
SEAWALL_ROW void adamw_one(const AdamWScalars& s, float factor, bool moves, bool kahan,
                           Weight& weight, Grad grad, Weight& m, Weight& v, Start start, Bf16& term,
                           float& master, float (&facts)[2]) {
  float before = wide(weight);
  if (kahan) before += wide(term);
  float after = before;
  if (moves) {
    const float g = wide(grad) * factor;
    float w = before;
    if (s.decay != 1.0f) w *= s.decay;
    const float mean = wide(m) + s.lerp * (g - wide(m));
    const float variance = s.beta2 * wide(v) + s.square * g * g;
    narrow(mean, m);
    narrow(variance, v);
    const float exact = w + s.minus_step * mean / (root(variance) / s.root_correction + s.eps);
    narrow(exact, weight);
    after = wide(weight);
    if (kahan) {
      narrow(exact - after, term);
      after += wide(term);
    }
    master = exact;
  }
  facts[0] += bits_of(before) != bits_of(after) ? 1.0f : 0.0f;
  const float away = after - wide(start);
  facts[1] += away * away;
}

/// Packs [begin, end) of a tensor, each of `width` weights. `guard`: what gradients are multiplied
/// with, and 0 where nothing may move. `facts` of these weights.
template <int width, class Weight, class Grad, class Start>
SEAWALL_ROW void adamw_rows(const Team& team, const AdamWScalars& s, const float* guard,
                            const AdamWTensors<Weight, Grad, Start>& t, Count begin, Count end,
                            double (&facts)[2]) {
  const float factor = guard[0];
  const bool moves = guard[1] != 0.0f;
  team.template gather<2>(end - begin, facts, [&](Count i, float(&mine)[2]) {
    const Count at = begin + i;
    auto w = load<width>(t.weight, at), m = load<width>(t.m, at), v = load<width>(t.v, at);
    const auto start = load<width>(t.start, at);
    const auto g = load<width>(t.grad, at);
    Pack<Bf16, width> term = {};
    Pack<float, width> master;
    if (t.term) term = load<width>(t.term, at);
    unrolled<width>([&](int k) {
      adamw_one(s, factor, moves, t.term != nullptr, w.at[k], g.at[k], m.at[k], v.at[k],
                start.at[k], term.at[k], master.at[k], mine);
    });
    if (!moves) return;
    save<width>(t.weight, at, w);
    save<width>(t.m, at, m);
    save<width>(t.v, at, v);
    if (t.term) save<width>(t.term, at, term);
    if (t.master) save<width>(t.master, at, master);
  });
}

}  // namespace seawall::rows
