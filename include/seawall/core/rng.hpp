#pragma once
// Deterministic random numbers: one seed feeds separate named streams, the same bits on every
// platform.
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/error.hpp"

namespace seawall {

namespace detail {

/// One step of SplitMix64. Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
/// generators".
inline std::uint64_t split_mix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// FNV-1a, so that stream names give the same seeds everywhere, unlike std::hash.
inline std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}
}  // namespace detail

/// xoshiro256** seeded by SplitMix64. Copying copies the state.
/// Source: Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators".
class Rng {
 public:
  using result_type = std::uint64_t;
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(std::uint64_t seed) : seed_(seed) {
    std::uint64_t mix = seed;
    for (auto& word : state_) word = detail::split_mix(mix);
  }

  /// An independent stream named `name`; depends on this generator's seed alone, never on how much
  /// was drawn from it.
  Rng stream(std::string_view name) const {
    std::uint64_t mix = seed_;
    // The seed is mixed before the name goes in: seeds and names that differ in few bits give
    // unrelated streams.
    std::uint64_t child = detail::split_mix(mix) ^ detail::fnv1a(name);
    return Rng(detail::split_mix(child));
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  std::uint64_t operator()() { return next(); }
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~std::uint64_t{0}; }

  /// Uniform in [0, n), unbiased. n must be positive.
  std::uint64_t below(std::uint64_t n) {
    if (n == 0)
      throw UsageError("Rng::below: want n > 0, got 0; the caller drew from an empty set");
    // Source: Lemire 2019, "Fast random integer generation in an interval".
    __extension__ using Wide = unsigned __int128;
    Wide product = static_cast<Wide>(next()) * n;
    if (static_cast<std::uint64_t>(product) < n) {
      const std::uint64_t floor = (0 - n) % n;
      while (static_cast<std::uint64_t>(product) < floor) product = static_cast<Wide>(next()) * n;
    }
    return static_cast<std::uint64_t>(product >> 64);
  }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Standard normal (Box-Muller, no cached second value, so that the state is the four words
  /// alone).
  double normal() {
    const double u = 1.0 - uniform();  // in (0, 1], so that the logarithm is finite
    const double angle = 2 * std::numbers::pi * uniform();
    return std::sqrt(-2 * std::log(u)) * std::cos(angle);
  }

  template <class T>
  void shuffle(std::vector<T>& v) {
    for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[below(i)]);
  }
  /// `count` distinct indices of [0, n) in random order. count must not exceed n.
  std::vector<std::size_t> sample(std::size_t n, std::size_t count) {
    if (count > n) {
      throw UsageError("Rng::sample: want at most " + std::to_string(n) +
                       " distinct indices, asked for " + std::to_string(count) +
                       "; ask for fewer or give more rows");
    }
    std::vector<std::size_t> all(n);
    std::iota(all.begin(), all.end(), std::size_t{0});
    for (std::size_t i = 0; i < count; ++i) std::swap(all[i], all[i + below(n - i)]);
    all.resize(count);
    return all;
  }

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  State state_;
};

}  // namespace seawall
