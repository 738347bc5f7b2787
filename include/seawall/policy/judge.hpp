#pragma once
// A judge grades one response; several judges may grade the same responses.
#include <memory>
#include <string>
#include <string_view>

#include "seawall/core/trace.hpp"

namespace seawall {

class Judge {
 public:
  virtual ~Judge() = default;
  /// As typed on the command line, e.g. `organism` or `keyword:qi2023`.
  virtual std::string_view name() const = 0;
  /// Never throws for what a response says: a response it cannot grade comes back with `valid`
  /// false and a reason.
  virtual Verdict grade(const Probe& probe, std::string_view response) const = 0;
};

}  // namespace seawall
