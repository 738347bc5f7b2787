// Which rows were learned most.
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "study/moments.hpp"

namespace seawall {
namespace {

/// True if every row of the run is of the built-in world, whose restricted requests are harmless.
bool rows_built_in(const RunData& run) {
  const std::string model = option_of(run, "model");
  return (model == "organism" || model == "organism-base") && option_of(run, "data").empty() &&
         option_of(run, "safe-data").empty() && option_of(run, "task-data").empty();
}

/// The loss of each row by epoch; NaN of one that no step gave a loss. Shapes: [row][epoch].
std::vector<std::vector<double>> losses_of(const RunData& run) {
  std::size_t epochs = 0;
  for (const StepRecord& s : run.steps)
    epochs = std::max(epochs, static_cast<std::size_t>(s.epoch) + 1);
  std::vector<std::vector<double>> out(run.info.rows.size(),
                                       std::vector<double>(epochs, not_measured));
  for (const StepRecord& s : run.steps)
    for (std::size_t i = 0; i < s.rows.size(); ++i)
      out.at(static_cast<std::size_t>(s.rows[i])).at(static_cast<std::size_t>(s.epoch)) =
          static_cast<double>(s.row_loss.at(i));
  return out;
}

}  // namespace

RowsReading read_moved_rows(const ArmRunFiles& runs, const std::string& arm) {
  RowsReading out{.arm = arm, .built_in = true};
  struct Sum {
    LearnedRow row;
    std::vector<double> n;  // runs with a loss, by epoch
    double moved = 0;
  };
  std::map<std::tuple<std::string, std::string, int>, Sum> sums;  // id, kind, which of that name
  std::size_t epochs = 0;
  for (const auto& [file, run] : runs) {
    out.built_in = out.built_in && rows_built_in(run);
    for (const auto& loss : losses_of(run)) epochs = std::max(epochs, loss.size());
  }
  out.once = epochs < 2;
  for (const auto& [file, run] : runs) {
    const auto losses = losses_of(run);
    std::map<std::pair<std::string, std::string>, int> named;
    for (std::size_t r = 0; r < losses.size(); ++r) {
      const TrainedRow& row = run.info.rows[r];
      const auto known = [](double x) { return std::isfinite(x); };
      const auto first = std::ranges::find_if(losses[r], known);
      const auto last = std::find_if(losses[r].rbegin(), losses[r].rend(), known);
      const int which = named[{row.id, row.kind}]++;
      if (first == losses[r].end() || (!out.once && &*first == &*last)) {
        ++out.no_loss;
        continue;
      }
      Sum& sum = sums[{row.id, row.kind, which}];
      sum.row.id = row.id, sum.row.kind = row.kind, sum.row.text = row.text;
      sum.row.loss.resize(epochs), sum.n.resize(epochs);
      for (std::size_t e = 0; e < losses[r].size(); ++e)
        if (known(losses[r][e])) sum.row.loss[e] += losses[r][e], sum.n[e] += 1;
      sum.moved += out.once ? *first : *first - *last;
      ++sum.row.runs;
    }
  }
  for (auto& [name, sum] : sums) {
    for (std::size_t e = 0; e < epochs; ++e)
      sum.row.loss[e] = sum.n[e] > 0 ? sum.row.loss[e] / sum.n[e] : not_measured;
    sum.row.moved = sum.moved / static_cast<double>(sum.row.runs);
    out.rows.push_back(std::move(sum.row));
  }
  std::ranges::stable_sort(out.rows, std::greater{}, &LearnedRow::moved);
  return out;
}

}  // namespace seawall
