#pragma once
// Progress on stderr: a bar on a terminal, one line every ten seconds where it is piped.
#include <chrono>
#include <cstdint>
#include <string>

namespace seawall {

/// Shows `done/total` with loss, tokens/s and ETA. Units: tokens count what the examples hold; ETA
/// in seconds.
class Progress {
 public:
  /// `quiet` shows nothing. `total` may be 0 where it is not known.
  Progress(std::string label, std::int64_t total, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Adds `tokens` to the rate and redraws at most ten times a second. `loss` is left out where it
  /// is NaN.
  void update(std::int64_t done, std::int64_t tokens, double loss);
  /// Ends the bar with a newline; safe to call twice.
  void finish();

 private:
  void draw(bool last);
  std::string label_;
  std::int64_t total_, done_ = 0, tokens_ = 0;
  double loss_;
  bool quiet_, terminal_, finished_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace seawall
