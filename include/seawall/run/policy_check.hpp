#pragma once
// What holds for every policy, tried on the organism: `PROGRAM check-policy NAME`.
#include <filesystem>
#include <functional>
#include <string>

#include "seawall/policy/any.hpp"
#include "seawall/run/plug_ins.hpp"

namespace seawall {

/// One thing that was tried.
struct PolicyTrial {
  std::string what;  // "resumes to the same bits"
  bool good = false;
  std::string found;  // why not, or what is worth knowing
};

/// Trains the organism under the mitigation, a few steps at a time, in a folder of its own: the
/// same bits twice and after a resume in the middle, micro-batches, LoRA, all precisions, and what
/// it costs. `tell` is given each trial when it is over. Returns whether all were good; that a
/// policy refuses LoRA or a precision with a UsageError is good. Takes seconds.
bool check_mitigation(const AnyMitigation& policy, const PlugIns& plug_ins,
                      const std::filesystem::path& folder,
                      const std::function<void(const PolicyTrial&)>& tell);
/// The same for an attack: rows that depend on the seed and on nothing else, a run and its resume,
/// and conditions whose names differ.
bool check_attack_policy(const AnyAttack& attack, const PlugIns& plug_ins,
                         const std::filesystem::path& folder,
                         const std::function<void(const PolicyTrial&)>& tell);

}  // namespace seawall
