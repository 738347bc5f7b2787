#pragma once
// Damaged input for a reader: each piece either reads, or is refused by an error of ours; never a
// crash, a hang or a flood of memory. The same tests run in their rooms with few trials, and in
// test_fuzz under the address and undefined-behaviour sanitizers with the numbers of CI.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>

#include "seawall/core/error.hpp"

namespace seawall::testing {

/// The trials of all formats of CI together, of which `SEAWALL_FUZZ=N` makes N.
inline constexpr double fuzz_total = 3200;

/// Trials of a format that has `of_ci` of them in CI. Without sanitizers a fifth: there the
/// sanitizers' program is what counts.
inline int fuzz_trials(int of_ci) {
#ifdef __SANITIZE_ADDRESS__
  double share = 1;
#else
  double share = 0.2;
#endif
  if (const char* total = std::getenv("SEAWALL_FUZZ"); total != nullptr)
    share = std::atof(total) / fuzz_total;
  return std::max(1, static_cast<int>(of_ci * share));
}

/// Kilobytes of memory that the process has held at most.
inline long peak_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

struct FuzzOptions {
  int trials = 200;        // bit flips in CI
  std::size_t header = 0;  // only so many bytes are flipped; 0: all
  std::string name;        // what every error must name
  double refused = 0.25;   // least share of all pieces that is refused
};

/// Gives `attempt` the file as it is, which must read; cut at every 4 KiB and at 64 random places;
/// then with up to eight bits flipped. `attempt(bytes)` throws DataError or IoError for what it
/// refuses.
template <class Attempt>
void fuzz(const std::string& whole, const FuzzOptions& options, Attempt&& attempt) {
  std::mt19937 random(20231005);
  const auto before = peak_kilobytes();
  const std::size_t header =
      options.header > 0 ? std::min(options.header, whole.size()) : whole.size();
  int given = 0, refused = 0;
  EXPECT_NO_THROW(attempt(whole)) << options.name << ": undamaged";
  const auto give = [&](const std::string& bytes, const std::string& what) {
    SCOPED_TRACE(options.name + ": " + what);
    const auto begin = std::chrono::steady_clock::now();
    ++given;
    try {
      attempt(bytes);
    } catch (const Error& error) {
      const std::string message = error.what();
      ++refused;
      EXPECT_TRUE(error.exit_code() == ExitCode::bad_input || error.exit_code() == ExitCode::io)
          << message;
      EXPECT_NE(message.find(options.name), std::string::npos) << message;
      EXPECT_GT(message.size(), options.name.size() + 10) << "no place and no reason: " << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "not an error of ours: " << error.what();
    } catch (...) {
      ADD_FAILURE() << "not even an exception of the library";
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(took.count(), 5.0) << "a hang";
  };
  for (std::size_t at = 0; at < whole.size(); at += 4096)
    give(whole.substr(0, at), "cut at " + std::to_string(at));
  for (int i = 0; i < 64; ++i) {
    const auto at = random() % whole.size();
    give(whole.substr(0, at), "cut at " + std::to_string(at));
  }
  for (int trial = 0; trial < fuzz_trials(options.trials); ++trial) {
    auto bytes = whole;
    std::string what = "flips";
    for (auto flips = 1 + random() % 8; flips > 0; --flips) {
      const auto place = random() % header;
      const auto bit = random() % 8;
      bytes[place] ^= static_cast<char>(1 << bit);
      what += " " + std::to_string(place) + ":" + std::to_string(bit);
    }
    if (bytes != whole) give(bytes, what);  // a bit may be flipped twice
  }
  EXPECT_GE(refused, options.refused * given) << options.name << ": damage went unseen";
  EXPECT_LT(peak_kilobytes() - before, 2L << 20) << options.name;
}

}  // namespace seawall::testing
