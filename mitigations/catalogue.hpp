#pragma once
// The mitigations that ship: one line each.
#include "mitigations/activation_steering.hpp"
#include "mitigations/adaptive_kl.hpp"
#include "mitigations/antidote.hpp"
#include "mitigations/asft.hpp"
#include "mitigations/attention_sink.hpp"
#include "mitigations/backdoor_align.hpp"
#include "mitigations/booster.hpp"
#include "mitigations/circuit_breaker.hpp"
#include "mitigations/constrained_sft.hpp"
#include "mitigations/crl.hpp"
#include "mitigations/ctrap.hpp"
#include "mitigations/data_audit.hpp"
#include "mitigations/deep_augmentation.hpp"
#include "mitigations/early_stop.hpp"
#include "mitigations/ema.hpp"
#include "mitigations/ewc.hpp"
#include "mitigations/freeze_layers.hpp"
#include "mitigations/gradient_surgery.hpp"
#include "mitigations/inoculation.hpp"
#include "mitigations/kl_to_start.hpp"
#include "mitigations/ldifs.hpp"
#include "mitigations/lisa.hpp"
#include "mitigations/lookahead.hpp"
#include "mitigations/lox.hpp"
#include "mitigations/neuron_masks.hpp"
#include "mitigations/panacea.hpp"
#include "mitigations/plain_alignment.hpp"
#include "mitigations/prefix_guard.hpp"
#include "mitigations/preventive_steering.hpp"
#include "mitigations/ptst.hpp"
#include "mitigations/repnoise.hpp"
#include "mitigations/resta.hpp"
#include "mitigations/row_weights.hpp"
#include "mitigations/safe_decoding.hpp"
#include "mitigations/safe_delta.hpp"
#include "mitigations/safe_subspace.hpp"
#include "mitigations/safegrad.hpp"
#include "mitigations/safelora.hpp"
#include "mitigations/safemerge.hpp"
#include "mitigations/safety_mixing.hpp"
#include "mitigations/safety_term.hpp"
#include "mitigations/sbr.hpp"
#include "mitigations/sdd.hpp"
#include "mitigations/spf.hpp"
#include "mitigations/splora.hpp"
#include "mitigations/t_vaccine.hpp"
#include "mitigations/tar.hpp"
#include "mitigations/vaccine.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/policy/catalogue.hpp"

namespace seawall {

using Mitigations = TypeList<
    // rows and weights
    SafetyMixing,    //
    WeightDrift,     //
    ConstrainedSft,  //
    DataAudit,       //
    // while it trains
    KlToStart,           //
    Ewc,                 //
    Ldifs,               //
    Sbr,                 //
    AttentionSink,       //
    AdaptiveKl,          //
    SafetyTerm,          //
    Lisa,                //
    RowWeights,          //
    GradientSurgery,     //
    Safegrad,            //
    SafeSubspace,        //
    Spf,                 //
    NeuronMasks,         //
    FreezeLayers,        //
    PreventiveSteering,  //
    Lookahead,           //
    EarlyStop,           //
    Ema,                 //
    Panacea,             //
    Asft,                //
    // before the attack
    PlainAlignment,    //
    Vaccine,           //
    TVaccine,          //
    Booster,           //
    Repnoise,          //
    Tar,               //
    CircuitBreaker,    //
    Crl,               //
    Ctrap,             //
    DeepAugmentation,  //
    Sdd,               //
    Lox,               //
    // after training
    Safelora,   //
    Safemerge,  //
    Splora,     //
    Resta,      //
    Antidote,   //
    SafeDelta,  //
    // at test time
    BackdoorAlign,      //
    Ptst,               //
    Inoculation,        //
    PrefixGuard,        //
    SafeDecoding,       //
    ActivationSteering  //
    >;

/// The table of them, to pass to the command line; made once, in mitigations/catalogue.cpp.
const MitigationCatalogue& mitigation_catalogue();

}  // namespace seawall
