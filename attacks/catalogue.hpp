#pragma once
// The attacks that ship: one line each.
#include "attacks/backdoor.hpp"
#include "attacks/benign.hpp"
#include "attacks/harmful_examples.hpp"
#include "attacks/identity_shift.hpp"
#include "seawall/policy/catalogue.hpp"

namespace seawall {

using Attacks = TypeList<HarmfulExamples,  //
                         IdentityShift,    //
                         Backdoor,         //
                         Benign            //
                         >;

/// The table of them, to pass to the command line; made once, in attacks/catalogue.cpp.
const AttackCatalogue& attack_catalogue();

}  // namespace seawall
