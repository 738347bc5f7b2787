#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "seawall/core/error.hpp"
#include "store/run_layout.hpp"

namespace seawall {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t from = 0; from < text.size();) {
    const auto to = std::min(text.find(',', from), text.size());
    out.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return out;
}

/// 1 and 0 are yes and no, NaN that it was not judged or the judge did not say.
std::optional<bool> said(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value != 0);
}

/// The variables of one set, read whole and checked against the sizes of its axes.
class SetReader {
 public:
  SetReader(const h5::Reader& reader, const std::string& set)
      : reader_(reader),
        set_(set == fixed_set ? ProbeSet::harmfulness : probe_set_from(set)),
        prefix_(set == fixed_set ? set + "_" : prefix_of(set_)) {
    order_ = reader.int64(prefix_ + "evaluation");
    probe_ = reader.texts(prefix_ + "probe");
    if (reader.has(prefix_ + "judged")) judge_ = reader.texts("judge");
  }

  std::vector<std::pair<std::int64_t, EvaluationRecord>> records(bool with_residual) const {
    const auto n = order_.size(), cells = n * probe_.size(), all = cells * judge_.size();
    const auto step = numbers("eval_step", n), epoch = numbers("eval_epoch", n);
    const auto condition = texts("condition", n), category = texts("category", probe_.size());
    const auto seconds = sized(reader_.float64(prefix_ + "eval_seconds"), "eval_seconds", n);
    const auto restricted = flags("restricted", probe_.size());
    const auto prompt = texts("prompt", cells), response = texts("response", cells);
    const auto answered = flags("answered", cells), finished = flags("finished", cells);
    const auto new_tokens = numbers("new_tokens", cells);
    // Absent in files of which no row has any, and in those of earlier versions.
    const auto no_answer = texts_if_there("no_answer", cells);
    const auto prefill = texts_if_there("prefill", cells);
    const auto declined = reader_.has(prefix_ + "declined") ? flags("declined", cells)
                                                            : std::vector<std::uint8_t>(cells);
    const auto sample = numbers_if_there("sample", probe_.size());
    const auto decoding = decoding_of(n);
    const bool judges = !judge_.empty();
    const auto score =
        judges ? sized(reader_.float64(prefix_ + "score"), "score", all) : std::vector<double>();
    const auto probability =
        reader_.has(prefix_ + "probability")
            ? sized(reader_.float64(prefix_ + "probability"), "probability", all)
            : std::vector<double>(all, std::numeric_limits<double>::quiet_NaN());
    const auto judged = judges ? flags("judged", n * judge_.size()) : std::vector<std::uint8_t>();
    const auto refused = judges ? words("refused", all) : std::vector<double>();
    const auto coherent = judges ? words("coherent", all) : std::vector<double>();
    const auto valid = judges ? flags("valid", all) : judged;
    const auto reason = judges ? texts("reason", all) : std::vector<std::string>();

    const auto rendered = texts_if_there("rendered_prompt", n * probe_.size());
    const auto prompt_length = tokens("prompt_length", n * probe_.size());
    const auto prompt_ids = tokens("prompt_ids", n * probe_.size());
    const auto response_ids = tokens("response_ids", n * probe_.size());
    const auto response_logprob = of_tokens("response_logprob", response_ids.size()),
               start_logprob = of_tokens("start_logprob", response_ids.size()),
               kl_start = of_tokens("kl_start", response_ids.size()),
               first_response_logprob = of_tokens("first_response_logprob", response_ids.size());

    std::vector<std::pair<std::int64_t, EvaluationRecord>> out;
    for (std::size_t e = 0; e < n; ++e) {
      EvaluationRecord record{step[e], epoch[e],   condition[e], set_,       {},
                              {},      seconds[e], {},           decoding[e]};
      std::vector<std::size_t> places, rows;
      for (std::size_t j = 0; j < judge_.size(); ++j) {
        if (judged[e * judge_.size() + j] == 0) continue;
        record.judges.push_back(judge_[j]);
        places.push_back(j);
      }
      for (std::size_t p = 0; p < probe_.size(); ++p) {
        const auto cell = e * probe_.size() + p;
        if (answered[cell] == 0) continue;
        rows.push_back(p);
        ProbeResult result{
            .probe_id = probe_id(p, sample[p]),
            .category = category[p],
            .prompt = prompt[cell],
            .response = response[cell],
            .restricted = restricted[p] != 0,
            .finished = finished[cell] != 0,
            .new_tokens = new_tokens[cell],
            .verdicts = {},
            .no_answer = no_answer[cell],
            .declined = declined[cell] != 0,
            .prefill = prefill[cell],
            .sample = sample[p],
            .rendered_prompt = rendered[cell],
            .prompt_ids = until_end(prompt_ids, cell, prompt_length[cell]),
            .response_ids = until_end(response_ids, cell, static_cast<int>(new_tokens[cell])),
            .response_logprob = numbers_of(response_logprob, cell),
            .start_logprob = numbers_of(start_logprob, cell),
            .kl_start = numbers_of(kl_start, cell),
            .first_response_logprob = numbers_of(first_response_logprob, cell)};
        for (const auto j : places) {
          const auto at = cell * judge_.size() + j;
          result.verdicts.push_back({.score = score[at],
                                     .refused = said(refused[at]),
                                     .coherent = coherent[at] != 0,
                                     .valid = valid[at] != 0,
                                     .reason = reason[at],
                                     .probability = probability[at]});
        }
        record.results.push_back(std::move(result));
      }
      if (with_residual) record.residual = residual(e, rows);
      record.mean_residual = mean(e);
      out.emplace_back(order_[e], std::move(record));
    }
    return out;
  }

 private:
  /// Some numbers a cell, of files that have them; else one 0 a cell.
  std::vector<std::int32_t> tokens(const char* name, std::size_t cells) const {
    if (!reader_.has(prefix_ + name)) return std::vector<std::int32_t>(cells);
    auto out = reader_.int32(prefix_ + name);
    if (cells == 0 || out.size() % cells != 0) sized(out, name, cells);
    return out;
  }
  /// A number for each token, of files that have them.
  std::vector<float> of_tokens(const char* name, std::size_t want) const {
    if (!reader_.has(prefix_ + name)) return {};
    return sized(reader_.float32(prefix_ + name), name, want);
  }
  /// Those of a cell before the first NaN, which is after its end.
  std::vector<float> numbers_of(const std::vector<float>& all, std::size_t cell) const {
    const auto width = static_cast<std::ptrdiff_t>(all.size() / (order_.size() * probe_.size()));
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(cell) * width;
    return {first, std::find_if(first, first + width, [](float v) { return std::isnan(v); })};
  }
  /// The first `length` tokens of a cell.
  std::vector<std::int32_t> until_end(const std::vector<std::int32_t>& all, std::size_t cell,
                                      int length) const {
    const auto width = static_cast<std::ptrdiff_t>(all.size() / (order_.size() * probe_.size()));
    if (length < 1 || length > width) return {};
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(cell) * width;
    return {first, first + length};
  }
  template <class T>
  std::vector<T> sized(std::vector<T> values, const char* name, std::size_t want) const {
    if (values.size() != want)
      throw DataError(reader_.path().string() + ": " + prefix_ + name + ": want " +
                      std::to_string(want) + " values, found " + std::to_string(values.size()));
    return values;
  }
  std::vector<std::int64_t> numbers(const char* name, std::size_t want) const {
    return sized(reader_.int64(prefix_ + name), name, want);
  }
  std::vector<std::uint8_t> flags(const char* name, std::size_t want) const {
    return sized(reader_.uint8(prefix_ + name), name, want);
  }
  std::vector<std::string> texts(const char* name, std::size_t want) const {
    return sized(reader_.texts(prefix_ + name), name, want);
  }

  std::vector<std::string> texts_if_there(const char* name, std::size_t want) const {
    return reader_.has(prefix_ + name) ? texts(name, want) : std::vector<std::string>(want);
  }
  std::vector<std::int64_t> numbers_if_there(const char* name, std::size_t want) const {
    return reader_.has(prefix_ + name) ? numbers(name, want) : std::vector<std::int64_t>(want);
  }

  /// The id of a probe from the name of one of its answers (place_name).
  std::string probe_id(std::size_t place, std::int64_t sample) const {
    const std::string& name = probe_[place];
    const std::string end = "#" + std::to_string(sample);
    if (sample == 0) return name;
    if (sample < 0 || !name.ends_with(end))
      throw DataError(reader_.path().string() + ": " + prefix_ + "sample: probe `" + name +
                      "` does not end in " + end);
    return name.substr(0, name.size() - end.size());
  }

  /// Of each evaluation; the usual one in files of which every evaluation has it.
  std::vector<Decoding> decoding_of(std::size_t n) const {
    std::vector<Decoding> out(n);
    if (!reader_.has(prefix_ + "temperature")) return out;
    const auto begun_with = texts("begun_with", n);
    const auto temperature = sized(reader_.float64(prefix_ + "temperature"), "temperature", n);
    const auto top_p = sized(reader_.float64(prefix_ + "top_p"), "top_p", n);
    const auto samples = numbers("samples", n), fixed = numbers_if_there("first_tokens", n);
    for (std::size_t e = 0; e < n; ++e) {
      if (samples[e] < 1)
        throw DataError(reader_.path().string() + ": " + prefix_ + "samples: want 1 or more, " +
                        "found " + std::to_string(samples[e]));
      out[e] = {begun_with[e], temperature[e], top_p[e], samples[e], fixed[e]};
    }
    return out;
  }

  /// What judges say of an answer: 1, 0, or NaN. uint8 in files before version 3.
  std::vector<double> words(const char* name, std::size_t want) const {
    if (reader_.type(prefix_ + name) != h5::Type::uint8)
      return sized(reader_.float64(prefix_ + name), name, want);
    const auto whole = flags(name, want);
    return {whole.begin(), whole.end()};
  }

  /// Undefined where the evaluation recorded none: its block was never written and reads as NaN
  /// throughout.
  Tensor residual(std::size_t evaluation, const std::vector<std::size_t>& rows) const {
    // Files of version 1 have it under another name.
    const auto name = prefix_ + (reader_.has(prefix_ + "residual") ? "residual" : "resid_post");
    if (!reader_.has(name) || rows.empty()) return {};
    const auto shape = reader_.shape(name);
    if (shape.size() != 4 || shape[0] != order_.size() || shape[1] != probe_.size())
      throw DataError(reader_.path().string() + ": " + name + ": its shape does not fit the axes");
    const auto values =
        reader_.float32_block(name, {evaluation, 0, 0, 0}, {1, shape[1], shape[2], shape[3]});
    if (std::all_of(values.begin(), values.end(), [](float v) { return std::isnan(v); })) return {};
    const auto row = shape[2] * shape[3];
    auto out = at::empty({static_cast<std::int64_t>(rows.size()),
                          static_cast<std::int64_t>(shape[2]), static_cast<std::int64_t>(shape[3])},
                         at::kFloat);
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(rows[i] * row), row,
                  out.mutable_data_ptr<float>() + i * row);
    return out;
  }

  /// Undefined where the evaluation has none.
  Tensor mean(std::size_t evaluation) const {
    const auto name = prefix_ + "resid_mean";
    if (!reader_.has(name)) return {};
    const auto shape = reader_.shape(name);
    if (shape.size() != 4 || shape[0] != order_.size())
      throw DataError(reader_.path().string() + ": " + name + ": its shape does not fit the axes");
    const auto values =
        reader_.float32_block(name, {evaluation, 0, 0, 0}, {1, shape[1], shape[2], shape[3]});
    if (values.empty() || std::isnan(values.front())) return {};
    auto out = at::empty({static_cast<std::int64_t>(shape[1]), static_cast<std::int64_t>(shape[2]),
                          static_cast<std::int64_t>(shape[3])},
                         at::kFloat);
    std::ranges::copy(values, out.mutable_data_ptr<float>());
    return out;
  }

  const h5::Reader& reader_;
  ProbeSet set_;
  std::string prefix_;
  std::vector<std::int64_t> order_;
  std::vector<std::string> probe_, judge_;
};

}  // namespace

std::vector<EvaluationRecord> read_evaluations(const h5::Reader& reader, bool with_residual) {
  std::vector<std::pair<std::int64_t, EvaluationRecord>> ordered;
  for (const auto& set : split(reader.text_attribute("evaluation_sets"))) {
    for (auto& entry : SetReader(reader, set).records(with_residual))
      ordered.push_back(std::move(entry));
  }
  std::sort(ordered.begin(), ordered.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<EvaluationRecord> out;
  for (auto& [place, record] : ordered) out.push_back(std::move(record));
  return out;
}

}  // namespace seawall
