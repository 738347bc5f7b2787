#pragma once
// What a policy says of itself to people and files.
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/policy/hooks.hpp"

namespace seawall {

/// A policy as `describe`, `--print-config`, run files and errors about it show it.
struct PolicyDescription {
  std::string name;
  std::vector<OptionValue> options;
  Need needs = Need::none;
  Hook hooks = Hook::none;  // in use; none of an attack
  Taps taps = {};           // where its `edit` is asked
  /// Its training hooks do with each weight (of LoRA: each product) the same, whatever the others
  /// are: `static constexpr bool elementwise = true`. Each of several processes then gives it the
  /// weights that it owns; a penalty is the sum of the processes'.
  bool elementwise = false;
};

/// What a policy measured while it worked, for the run file: a name, with `/` where it has parts,
/// and a number. A mitigation gives it with `Measured measured() const`.
using Measured = std::vector<std::pair<std::string, double>>;

}  // namespace seawall
