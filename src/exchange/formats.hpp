#pragma once
// Inside exchange/ only: the writers of convert_file. Each writes at `place` and returns what it
// wrote in a few words, as `522 samples`. Errors: DataError naming the file and what it lacks;
// IoError.
#include <filesystem>
#include <string>

#include "seawall/exchange/convert.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {

/// Every dataset that has values, and `about_json`: the file's attributes, and dimensions and
/// attributes of each dataset.
/// Source: numpy, `numpy.lib.format`, version 1.0, in a zip archive.
std::string write_npz(const h5::Reader& file, const std::filesystem::path& place);
/// evaluations.csv and steps.csv in the folder `place`.
std::string write_csv(const RunData& run, const std::filesystem::path& place);
/// The mean stream of the probes at the last tokens of their prompts, less that of the ordinary
/// requests of the same step and condition, at the input of every block.
/// Shapes: [position, block, d_model] f64, the last position last; block l is layer l of the file.
/// Source: Arditi et al. 2024, `mean_diffs.pt` of their code.
std::string write_mean_diffs(const h5::Reader& file, const ConvertSpec& spec,
                             const std::filesystem::path& place);
/// An event file in the folder `place`.
std::string write_events(const RunData& run, const std::filesystem::path& place);
/// A log of one evaluation, as JSON or as the archive that inspect_ai keeps logs in.
/// Source: inspect_ai, EvalLog, version 2.
std::string write_inspect(const RunData& run, const ConvertSpec& spec,
                          const std::filesystem::path& file, bool as_json,
                          const std::filesystem::path& place);
/// A data set of the activations in `first` and the shards after it, in the folder `place`: rows of
/// `context` tokens, filled prompt after prompt; the tokens after the last full row are left out.
/// One column per layer of the residual stream, in TransformerLens's names, and token_ids.
/// Source: SAELens, CacheActivationsRunner; datasets, Dataset.save_to_disk.
std::string write_saelens(const std::filesystem::path& first, std::int64_t context,
                          const std::filesystem::path& place);

/// The place in `run.evaluations` that --evaluation names. Errors: UsageError listing those there
/// are; DataError if there are none.
std::size_t chosen_evaluation(const RunData& run, std::int64_t evaluation,
                              const std::filesystem::path& file);

}  // namespace seawall
