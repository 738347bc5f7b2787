// Residual streams of evaluations in a run file.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "seawall/store/direction.hpp"
#include "store/set_rows.hpp"

namespace seawall {
namespace {

constexpr float missing_value = std::numeric_limits<float>::quiet_NaN();

/// bf16-valued floats shrink to a third under gzip; full float32 mantissas do not shrink and would
/// only cost time.
bool is_narrow(const Tensor& residual) {
  const auto* values = residual.const_data_ptr<float>();
  const auto count = std::min<std::int64_t>(residual.numel(), 4096);
  return std::all_of(values, values + count,
                     [](float v) { return (std::bit_cast<std::uint32_t>(v) & 0xFFFFu) == 0; });
}

/// Rows of residual streams that hold values.
std::int64_t streams_in(const SetRows& rows) {
  std::int64_t count = 0;
  for (const auto* record : rows.records) {
    if (!record->residual.defined()) continue;
    const auto row = record->residual.size(1) * record->residual.size(2);
    const auto* values = record->residual.const_data_ptr<float>();
    for (std::int64_t r = 0; r < record->residual.size(0); ++r)
      count += !std::all_of(values + r * row, values + (r + 1) * row,
                            [](float v) { return std::isnan(v); });
  }
  return count;
}

/// The mean streams of evaluations that have them; NaN for the others.
void put_resid_mean(SchemaWriter& out, const SetRows& rows) {
  const auto has = [](const auto* record) { return record->mean_residual.defined(); };
  const auto found = std::ranges::find_if(rows.records, has);
  if (found == rows.records.end()) return;
  const auto size = static_cast<std::size_t>((*found)->mean_residual.numel());
  std::vector<float> all(rows.records.size() * size, missing_value);
  for (std::size_t e = 0; e < rows.records.size(); ++e)
    if (has(rows.records[e]))
      std::copy_n(rows.records[e]->mean_residual.const_data_ptr<float>(), size,
                  all.begin() + static_cast<std::ptrdiff_t>(e * size));
  out.variable("resid_mean", all);
}

/// Of the same step and condition, in another set.
const EvaluationRecord* same_time(const std::vector<EvaluationRecord>& all, std::int64_t step,
                                  const EvaluationRecord& record, ProbeSet set) {
  const auto found = std::ranges::find_if(all, [&](const EvaluationRecord& other) {
    return other.step == step && other.set == set && other.condition == record.condition &&
           other.mean_residual.defined();
  });
  return found == all.end() ? nullptr : &*found;
}

/// Where refusal is, against the evaluation before step 1 (Arditi et al. 2024).
void put_refusal_cosine(SchemaWriter& out, const SetRows& rows,
                        const std::vector<EvaluationRecord>& all) {
  if (rows.set != ProbeSet::harmfulness) return;
  std::vector<Tensor> found;
  std::size_t size = 0;
  for (const auto* record : rows.records) {
    const auto at = [&](std::int64_t step, ProbeSet set) {
      return same_time(all, step, *record, set);
    };
    const auto *now = at(record->step, ProbeSet::harmfulness),
               *now_ordinary = at(record->step, ProbeSet::utility),
               *start = at(0, ProbeSet::harmfulness), *ordinary = at(0, ProbeSet::utility);
    found.emplace_back();
    if (now == nullptr || now_ordinary == nullptr || start == nullptr || ordinary == nullptr)
      continue;
    found.back() = direction_change(*now, *now_ordinary, *start, *ordinary).cosine.to(at::kFloat);
    size = static_cast<std::size_t>(found.back().numel());
  }
  if (size == 0) return;
  std::vector<float> values;
  for (const Tensor& one : found)
    if (one.defined())
      values.insert(values.end(), one.const_data_ptr<float>(),
                    one.const_data_ptr<float>() + one.numel());
    else
      values.insert(values.end(), size, missing_value);
  out.variable("refusal_cosine", values);
}

}  // namespace

h5::Attributes with_coordinates(const SetRows& rows) {
  // Files with this set join those without it: xarray fills in variables, and no coordinates.
  if (rows.records.front()->decoding.fixed_tokens > 0) return {};
  std::string names;
  for (const char* name :
       {"eval_step", "eval_epoch", "phase", "condition", "set", "category", "restricted"})
    names += (names.empty() ? "" : " ") + rows.name(name);
  return {{"coordinates", names}};
}

void put_streams(h5::Writer& writer, SchemaWriter& out, const SetRows& rows, bool compress) {
  const auto has = [](const auto* record) { return record->residual.defined(); };
  const auto found = std::find_if(rows.records.begin(), rows.records.end(), has);
  if (found == rows.records.end()) return;
  const auto probes = rows.probes.names.size();
  const auto layers = static_cast<std::size_t>((*found)->residual.size(1));
  const auto width = static_cast<std::size_t>((*found)->residual.size(2));
  if (probes == 0 || layers == 0 || width == 0) return;
  const auto block = std::clamp<std::size_t>((std::size_t{1} << 20) / (4 * width), 1, probes);
  h5::Layout layout{.chunk = {1, block, 1, width},
                    .compress = compress && is_narrow((*found)->residual),
                    .attributes = with_coordinates(rows)};
  layout.attributes.emplace_back("dim_order", std::string("C"));
  layout.attributes.emplace_back("module_name",
                                 std::string("model.embed_tokens (layer 0), output of "
                                             "model.layers.{layer-1}"));
  layout.attributes.emplace_back("hook_name", std::string("hook_embed (layer 0), "
                                                          "blocks.{layer-1}.hook_resid_post"));
  // Probes that got no answer, or were not asked, have no stream: NaN, and not counted here.
  layout.attributes.emplace_back("n_valid", streams_in(rows));
  const auto name = rows.name("resid_post");
  out.variable("resid_post", layout);
  std::vector<float> plane(probes * width);
  for (std::size_t e = 0; e < rows.records.size(); ++e) {
    if (!has(rows.records[e])) continue;
    const auto* values = rows.records[e]->residual.template const_data_ptr<float>();
    for (std::size_t layer = 0; layer < layers; ++layer) {
      std::fill(plane.begin(), plane.end(), missing_value);
      for (std::size_t r = 0; r < rows.columns[e].size(); ++r)
        std::copy_n(values + (r * layers + layer) * width, width,
                    plane.begin() + static_cast<std::ptrdiff_t>(rows.columns[e][r] * width));
      writer.write(name, {e, 0, layer, 0}, {1, probes, 1, width}, plane);
    }
  }
}

void put_means(SchemaWriter& out, const SetRows& rows, const std::vector<EvaluationRecord>& all) {
  put_resid_mean(out, rows);
  put_refusal_cosine(out, rows, all);
}

}  // namespace seawall
