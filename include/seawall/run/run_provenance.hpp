#pragma once
// What a run says of itself: its options, and which prompts it trains on and probes with, and that
// the one are not among the other.
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/hash.hpp"
#include "seawall/core/trace.hpp"
#include "seawall/dataset/provenance.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall {

std::string utc_now();

/// What a run's numbers depend on besides its options, by name: versions of Seawall, libtorch and
/// HDF5, and the instructions that the CPU's kernels use.
std::vector<std::pair<std::string, std::string>> versions_here();
/// Adds version, options and policies to a run's key: all but those of its place.
void hash_options(Sha256& sha, const RunSpec& spec, const AnyAttack& attack,
                  const std::vector<PolicyDescription>& stack);
/// The same for a run file, as JSON, with what the user's files were read as.
std::string options_json(const RunSpec& spec, const AnyAttack& attack,
                         const std::vector<PolicyDescription>& stack, const Scenario& scenario);
/// Adds what a policy's group of a checkpoint holds.
void hash_state(Sha256& sha, const std::string& group, const StateGroup& state);
/// Sets the names by which files of several runs are joined: arm, attack and mitigations. The arm
/// is the file's name; of a file that `reproduce` named (ARM-seedN-KEY.h5) it is ARM.
void name_run(RunInfo& info, const RunSpec& spec, const AnyAttack& attack,
              const std::vector<PolicyDescription>& stack);
/// Adds how many rows there are, and of which kind.
void count_rows(const Dataset& rows, RunInfo& info);

/// The sets of probes that a run asks, none of them empty.
using AskedSets = std::vector<std::pair<ProbeSet, const std::vector<Probe>*>>;

/// How many rows and probes have a system message that their template has no turn for, so that it
/// goes before the first user turn.
struct MergedSystem {
  std::size_t rows = 0, probes = 0;
};
MergedSystem merged_system(const ChatTemplate& chat, const Dataset& rows, const AskedSets& sets,
                           const std::vector<Condition>& conditions,
                           const std::function<Dialogue(const Probe&, const Condition&)>& ask);

/// The rows as they are trained on, by what they are for, and the probes, plain and as the attack
/// puts them.
Provenance provenance_of(const Dataset& rows, const AskedSets& sets,
                         const std::vector<Condition>& conditions,
                         const std::function<Dialogue(const Probe&, const Condition&)>& ask);
/// Errors: DataError where two sets share a prompt, naming the first, unless `allow_overlap`.
void check_provenance(const Provenance& provenance, bool allow_overlap);
/// Adds `set_NAME` to the hashes; `overlap_A_B` for every pair of sets, `repeated_NAME` and
/// `overlapping_probes` (probes among training rows, in all) to the numbers.
void record_provenance(const Provenance& provenance, RunInfo& info);
/// Adds what the user's files were read as: `file_OPTION` to the hashes; counts of records, of
/// those rejected, left out or held out, and of what was kept, to the numbers. Nothing for the
/// organism.
void record_files(const Scenario& scenario, RunInfo& info);
/// The name of a number that an endpoint or judge costs: `judge_rubric:gpt-4o_usd`.
std::string cost_name(const std::string& kind, std::string_view whose, std::string_view what);

}  // namespace seawall
