#include "seawall/exchange/convert.hpp"

#include <functional>
#include <map>

#include "exchange/formats.hpp"
#include "exchange/output.hpp"
#include "seawall/core/error.hpp"
#include "seawall/store/checkpoint.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

/// What `file` is: `run`, `activations`. Errors: DataError if it is neither.
std::string kind_of(const fs::path& file) {
  if (!fs::exists(file)) throw IoError(file.string() + ": no such file");
  const std::string checkpoint =
      ": is of a checkpoint; want a run file, or activations of `extract`";
  if (is_checkpoint(file) || fs::exists(file.parent_path() / "manifest.json"))
    throw DataError(file.string() + checkpoint);
  if (fs::is_directory(file))
    throw DataError(file.string() + ": is a folder; want a run file, or activations of `extract`");
  std::string kind = h5::Reader(file).text_attribute("seawall_kind");
  if (kind != "run" && kind != "activations") throw DataError(file.string() + checkpoint);
  return kind;
}

/// Errors: DataError if the format is not of this kind of file.
void check_kind(const fs::path& file, const std::string& kind, const std::string& to) {
  const bool streams = to == "saelens";
  if (to == "npz" || streams == (kind == "activations")) return;
  throw DataError(file.string() +
                  (streams ? ": is a run file; --to saelens wants activations of `extract`"
                           : ": holds activations; --to " + to + " wants a run file"));
}

}  // namespace

std::size_t chosen_evaluation(const RunData& run, std::int64_t evaluation, const fs::path& file) {
  const auto& all = run.evaluations;
  if (evaluation >= 0) {
    if (static_cast<std::size_t>(evaluation) < all.size())
      return static_cast<std::size_t>(evaluation);
    throw UsageError("--evaluation " + std::to_string(evaluation) + ": " + file.string() + " has " +
                     std::to_string(all.size()) + ", counted from 0");
  }
  for (std::size_t i = all.size(); i-- > 0;)
    if (all[i].set == ProbeSet::harmfulness && all[i].decoding.fixed_tokens == 0) return i;
  throw DataError(file.string() + ": holds no evaluation of the set harmfulness");
}

std::string convert_file(const fs::path& file, const ConvertSpec& spec, const fs::path& out,
                         bool overwrite) {
  if (spec.to.empty()) throw UsageError("want --to npz, csv, pt, tensorboard, inspect or saelens");
  if (out.empty()) throw UsageError("want --out with the file or folder to write");
  const std::string kind = kind_of(file);
  check_kind(file, kind, spec.to);
  if (fs::exists(out) && fs::equivalent(file, out))
    throw UsageError("--out " + out.string() + ": is the file to convert; choose another --out");
  if (spec.to == "inspect" && out.extension() != ".eval" && out.extension() != ".json")
    throw UsageError("--out " + out.string() +
                     ": inspect_ai knows a log by its ending; give a name that ends in .eval or "
                     ".json");
  const bool folder = spec.to == "csv" || spec.to == "tensorboard" || spec.to == "saelens";
  Output output(out, folder ? Output::Kind::folder : Output::Kind::file, overwrite);
  const fs::path& place = output.place();
  std::string what;
  if (spec.to == "npz") {
    what = write_npz(h5::Reader(file), place);
  } else if (spec.to == "pt") {
    what = write_mean_diffs(h5::Reader(file), spec, place);
  } else if (spec.to == "saelens") {
    what = write_saelens(file, spec.context, place);
  } else {
    const RunData run = read_run(file);
    what = spec.to == "csv" ? write_csv(run, place)
           : spec.to == "tensorboard"
               ? write_events(run, place)
               : write_inspect(run, spec, file, out.extension() == ".json", place);
  }
  output.publish();
  return out.string() + ": " + what;
}

}  // namespace seawall
