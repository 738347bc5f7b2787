#pragma once
// Deterministic random numbers: one seed feeds separate named streams, the same bits on every
// platform.
#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seawall {

/// xoshiro256** seeded by SplitMix64. Copying copies the state.
/// Source: Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators".
class Rng {
 public:
  using result_type = std::uint64_t;
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(std::uint64_t seed);

  /// An independent stream named `name`; depends on this generator's seed alone, never on how much
  /// was drawn from it.
  Rng stream(std::string_view name) const;

  std::uint64_t next();
  std::uint64_t operator()() { return next(); }
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~std::uint64_t{0}; }

  /// Uniform in [0, n), unbiased. n must be positive.
  std::uint64_t below(std::uint64_t n);
  /// Uniform in [0, 1).
  double uniform();
  /// Standard normal (Box-Muller, no cached second value, so that the state is the four words
  /// alone).
  double normal();

  template <class T>
  void shuffle(std::vector<T>& v) {
    for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[below(i)]);
  }
  /// `count` distinct indices of [0, n) in random order. count must not exceed n.
  std::vector<std::size_t> sample(std::size_t n, std::size_t count);

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  State state_;
};

}  // namespace seawall
