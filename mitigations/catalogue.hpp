#pragma once
// The mitigations that ship: one line each.
#include "mitigations/constrained_sft.hpp"
#include "mitigations/data_audit.hpp"
#include "mitigations/safety_mixing.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/policy/catalogue.hpp"

namespace seawall {

using Mitigations = TypeList<SafetyMixing,    //
                             WeightDrift,     //
                             ConstrainedSft,  //
                             DataAudit        //
                             >;

/// The table of them, to pass to the command line; made once, in mitigations/catalogue.cpp.
const MitigationCatalogue& mitigation_catalogue();

}  // namespace seawall
