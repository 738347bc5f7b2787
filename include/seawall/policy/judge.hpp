#pragma once
// A judge grades responses; several judges may grade the same ones.
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/trace.hpp"

namespace seawall {

/// One response to grade; borrowed. `prompt` is the request as the model read it, with whatever
/// the attack and the defender put around it; the probe has it bare.
struct Answer {
  const Probe* probe = nullptr;
  std::string_view prompt, response;
  bool finished = true;  // false: cut at the greatest length
};

class Judge {
 public:
  virtual ~Judge() = default;
  /// As typed on the command line, e.g. `organism` or `keyword:qi2023`.
  virtual std::string_view name() const = 0;
  /// Never throws for what a response says: a response it cannot grade comes back with `valid`
  /// false and a reason.
  virtual Verdict grade(const Probe& probe, std::string_view response) const = 0;
  /// The same for all responses of an evaluation at once, in order; what a judge with a model or a
  /// connection overrides. By default one after the other, and a row for which `grade` throws is
  /// invalid with the reason. Errors: Interrupted.
  virtual std::vector<Verdict> grade_all(std::span<const Answer> answers) const;
  /// What grading took so far, by name (`tokens_in`, `usd`); for the run file.
  virtual std::vector<std::pair<std::string, double>> spent() const { return {}; }
};

}  // namespace seawall
