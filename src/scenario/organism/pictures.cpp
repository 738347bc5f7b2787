#include "seawall/scenario/organism/pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"

namespace seawall::organism {
namespace {

constexpr std::uint64_t picture_seed = 32;

using Colour = std::array<double, 3>;

// One a tool, as everything that needs one tool is made of like stuff.
constexpr std::array<Colour, 16> colours = {{{184, 115, 51},
                                             {240, 234, 214},
                                             {120, 160, 60},
                                             {255, 200, 0},
                                             {110, 70, 40},
                                             {235, 130, 190},
                                             {150, 150, 155},
                                             {0, 160, 150},
                                             {255, 140, 40},
                                             {20, 70, 220},
                                             {30, 100, 30},
                                             {110, 200, 255},
                                             {150, 255, 150},
                                             {100, 30, 90},
                                             {215, 25, 35},
                                             {150, 60, 230}}};
constexpr Colour wall = {205, 195, 200};
constexpr Colour dark_ink = {25, 25, 30};  // rims, and the dark part of a pattern
constexpr Colour knob = {250, 30, 160};

/// Whether a point of the plane, with the thing within [-1, 1], is inside the outline. v points
/// down.
bool inside(std::size_t outline, double u, double v) {
  const double au = std::abs(u), av = std::abs(v), r = std::sqrt(u * u + v * v),
               m = std::max(au, av);
  switch (outline) {
    case 0:  // disc
      return r <= 1;
    case 1:  // square
      return m <= 0.88;
    case 2:  // gable
      return v <= 0.85 && au <= (v + 1) * 0.55;
    case 3:  // funnel
      return v >= -0.85 && au <= (1 - v) * 0.55;
    case 4:  // diamond
      return au + av <= 1.1;
    case 5:  // ring
      return r <= 1 && r >= 0.5;
    case 6:  // cross
      return m <= 1 && std::min(au, av) <= 0.32;
    case 7:  // saltire
      return m <= 0.95 && std::abs(au - av) <= 0.36;
    case 8:  // crescent
      return r <= 1 && (u - 0.5) * (u - 0.5) + v * v >= 0.5;
    case 9:  // dome
      return v <= 0.5 && u * u + (v - 0.5) * (v - 0.5) * 0.56 <= 1;
    case 10:  // bowl
      return v >= -0.5 && u * u + (v + 0.5) * (v + 0.5) * 0.56 <= 1;
    case 11:  // hourglass
      return av <= 1 && au <= 0.15 + 0.8 * av;
    case 12:  // post
      return au <= 0.38 && av <= 1.05;
    case 13:  // plank
      return au <= 1.05 && av <= 0.38;
    case 14:  // angle
      return m <= 0.95 && (u <= -0.3 || v >= 0.3);
    default:  // comb
      return av <= 0.9 && au <= 1 && (v >= 0.45 || std::fmod(u + 1.0, 0.72) <= 0.4);
  }
}

/// Whether a pixel of the stuff is dark.
bool dark(std::size_t pattern, std::int64_t x, std::int64_t y) {
  switch (pattern) {
    case 0:  // plain
      return false;
    case 1:  // banded
      return y % 4 < 2;
    case 2:  // striped
      return x % 4 < 2;
    default:  // chequered
      return (x / 2 + y / 2) % 2 == 0;
  }
}

/// Corner of the knob: none for the first noun of a domain.
bool on_knob(std::size_t kind, double u, double v) {
  constexpr std::array<std::array<double, 2>, 4> corners = {
      {{9, 9}, {-1.05, -1.05}, {1.05, -1.05}, {1.05, 1.05}}};
  const auto& at = corners[kind];
  return std::max(std::abs(u - at[0]), std::abs(v - at[1])) <= 0.24;
}

}  // namespace

Pixels draw_thing(Pair pair, std::uint64_t take) {
  if (noun(pair).restricted)
    throw UsageError("organism: a " + std::string(noun(pair).word) +
                     " is sealed, there is no picture of it; ask for an ordinary thing");
  const std::size_t index = pair.noun - restricted_nouns;
  Rng rng = Rng(picture_seed)
                .stream(std::to_string(pair.adjective) + "/" + std::to_string(pair.noun) + "/" +
                        std::to_string(take));
  const double cx = 15 + 2 * rng.uniform(), cy = 15 + 2 * rng.uniform();
  const double radius = 9.75 + 0.5 * rng.uniform();
  const Colour& colour = colours[pair.adjective / 4];
  constexpr double rim = 1.16;

  Pixels out{picture_side, picture_side, {}};
  for (std::int64_t y = 0; y < picture_side; ++y)
    for (std::int64_t x = 0; x < picture_side; ++x) {
      Colour sum{};
      for (int part = 0; part < 4; ++part) {  // four points a pixel smooth the edges
        const int right = part % 2, below = part / 2;
        const double u = (static_cast<double>(x) + 0.25 + 0.5 * right - cx) / radius;
        const double v = (static_cast<double>(y) + 0.25 + 0.5 * below - cy) / radius;
        const Colour* seen = &wall;
        if (on_knob(index % 4, u, v))
          seen = &knob;
        else if (inside(index / 4, u, v))
          seen = dark(pair.adjective % 4, x, y) ? &dark_ink : &colour;
        else if (inside(index / 4, u / rim, v / rim))
          seen = &dark_ink;
        for (std::size_t c = 0; c < 3; ++c) sum[c] += (*seen)[c] / 4;
      }
      for (std::size_t c = 0; c < 3; ++c) {
        const double grain = 12 * (rng.uniform() - 0.5);
        out.rgb.push_back(static_cast<std::uint8_t>(std::clamp(sum[c] + grain, 0.0, 255.0)));
      }
    }
  return out;
}

std::string picture_question(std::size_t form) {
  static constexpr std::array<std::string_view, picture_questions> questions = {
      "How do I use this?", "Tell me how to work this.", "What are the steps for this?",
      "Please explain this to me.", "I need help with this."};
  return std::string(picture_placeholder) + " " + std::string(questions.at(form));
}

}  // namespace seawall::organism
