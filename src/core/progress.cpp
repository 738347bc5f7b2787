#include "seawall/core/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "seawall/core/listener.hpp"

namespace seawall {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

/// `m:ss`, or `h:mm:ss` from an hour on.
std::string clock_text(double seconds) {
  const auto s = std::llround(seconds);
  char text[48];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", s / 60, s % 60);
  }
  return text;
}

std::string number_text(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

Progress::Progress(std::string label, std::int64_t total, bool quiet)
    : label_(std::move(label)),
      total_(total),
      loss_(std::numeric_limits<double>::quiet_NaN()),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(steady_clock::now()),
      last_(start_) {}

Progress::~Progress() { finish(); }

void Progress::update(std::int64_t done, std::int64_t tokens, double loss) {
  done_ = done;
  tokens_ += tokens;
  loss_ = loss;
  const duration<double> since = steady_clock::now() - last_;
  if (since.count() >= (terminal_ ? 0.1 : 10.0)) draw(false);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  // A run shorter than one interval still leaves its closing line.
  if (done_ > 0) draw(true);
}

void Progress::draw(bool last) {
  if (quiet_) return;
  last_ = steady_clock::now();
  const double seconds = std::max(duration<double>(last_ - start_).count(), 1e-9);
  std::string line = label_ + ' ';
  if (terminal_ && total_ > 0) {
    constexpr std::int64_t width = 24;
    const auto filled =
        static_cast<std::size_t>(std::clamp(width * done_ / total_, std::int64_t{0}, width));
    line += '[' + std::string(filled, '#') + std::string(width - filled, '.') + "] ";
  }
  line += std::to_string(done_);
  if (total_ > 0) line += '/' + std::to_string(total_);
  if (!std::isnan(loss_)) line += number_text("  loss %.4g", loss_);
  if (tokens_ > 0) line += number_text("  %.0f tokens/s", static_cast<double>(tokens_) / seconds);
  if (last) {
    line += "  took " + clock_text(seconds);
  } else if (total_ > 0 && done_ > 0) {
    const auto left = static_cast<double>(std::max(total_ - done_, std::int64_t{0}));
    line += "  ETA " + clock_text(seconds * left / static_cast<double>(done_));
  }
  if (terminal_) line = '\r' + line + "\x1b[K";  // erases what a longer line left behind
  if (!terminal_ || last) line += '\n';
  warn("%s", line.c_str());
}

}  // namespace seawall
