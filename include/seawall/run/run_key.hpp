#pragma once
// What names a run before it is made.
#include <string>

#include "seawall/policy/any.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {

/// The key of the run that `spec` asks for, before anything is written or trained. Errors: those of
/// Run.
std::string run_key(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec);

}  // namespace seawall
