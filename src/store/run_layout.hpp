#pragma once
// Inside store/ only: how a run lies in HDF5, and back.
//
// Dimensions: step, parameter, matrix x rank (spectra), judge, layer, d_model; and for every set of
// probes `evaluation` and `probe` (harmfulness), `utility_evaluation` and `utility_probe`
// (utility), `task_evaluation` and `task_probe` (the user's task). The value of an evaluation
// coordinate is its place in the order of recording over all sets. Further answers to a probe have
// places of their own. A probe that an evaluation did not ask has answered = 0 and score NaN.
#include <filesystem>
#include <string>

#include "seawall/store/hdf5.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {

/// What the variables of a set of probes begin with.
inline std::string prefix_of(ProbeSet set) {
  return set == ProbeSet::harmfulness ? "" : probe_set_name(set) + "_";
}
inline std::string prefix_of(const EvaluationRecord& record) {
  return record.decoding.fixed_tokens > 0 ? std::string(fixed_set) + "_" : prefix_of(record.set);
}

/// What the `probe` coordinate calls a result: the probe's id, and `#` and the number of the answer
/// if it is not the first one.
inline std::string place_name(const ProbeResult& result) {
  return result.probe_id + (result.sample > 0 ? "#" + std::to_string(result.sample) : "");
}

h5::Writer layout_run(const RunData& run, const RunSwitches& switches);
/// The evaluations' part of layout_run.
void layout_evaluations(h5::Writer& writer, const RunData& run, const RunSwitches& switches);
/// Errors: DataError naming path and variable.
std::vector<EvaluationRecord> read_evaluations(const h5::Reader& reader, bool with_residual);

}  // namespace seawall
