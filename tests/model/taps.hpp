#pragma once
// Hooks that keep what they are shown, for the tests of places inside the blocks.
#include <gtest/gtest.h>

#include <array>

#include "support.hpp"

namespace seawall::testing {

using Kind = TapPoint::Kind;

inline constexpr Taps stream_taps = Kind::embed | Kind::resid_post;
inline constexpr Taps all_taps = inside_taps | stream_taps;
inline constexpr std::array edited_kinds = {Kind::attn_out, Kind::mlp_out,    Kind::qkv_in,
                                            Kind::o_in,     Kind::gate_up_in, Kind::down_in};
inline constexpr std::array inside_kinds = {Kind::attn_out, Kind::mlp_out,    Kind::qkv_in,
                                            Kind::o_in,     Kind::gate_up_in, Kind::down_in,
                                            Kind::sink};

/// Rows that share prefixes on two levels, one of them longer than every window.
inline std::vector<Sequence> prefix_rows() {
  std::mt19937 random(3);
  const auto root = random_row(random, {}, 9).ids;
  const auto middle = random_row(random, root, 7).ids;
  return {random_row(random, root, 4), random_row(random, middle, 5),
          random_row(random, middle, 20), random_row(random, {}, 12)};
}

/// Hooks that keep what they are shown, copied unless it is part of the graph.
inline ForwardHooks keeping(PlaceTensors& to, Taps taps, bool graph = false) {
  ForwardHooks hooks;
  hooks.taps = taps;
  hooks.graph = graph;
  hooks.take = [&to, graph](const TapPoint& p, const Tensor& x) {
    EXPECT_TRUE(to.emplace(std::pair(p.kind, p.layer), graph ? x : x.clone()).second)
        << "shown twice";
  };
  return hooks;
}

inline PlaceTensors seen(const Decoder& decoder, const BatchPlan& plan, Taps taps = all_taps) {
  PlaceTensors out;
  decoder.hidden(plan, keeping(out, taps));
  return out;
}

/// An edit of one kind in block 1.
inline ForwardHooks editing(Kind kind, const std::function<Tensor(const Tensor&)>& change) {
  ForwardHooks hooks;
  hooks.taps = kind;
  hooks.edit = [=](const TapPoint& p, const Tensor& x) {
    EXPECT_EQ(p.kind, kind);
    return p.layer == 1 ? change(x) : x;
  };
  return hooks;
}

// fp64 central differences: errors of order step^2 and 1e-16 / step.
inline constexpr double difference_step = 1e-6;

}  // namespace seawall::testing
