// The direction of refusal as `mean_diffs.pt`.
#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <cmath>
#include <optional>

#include "exchange/formats.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"

namespace seawall {
namespace {

/// Evaluations of one set, with the means of their residual streams.
class Means {
 public:
  Means(const h5::Reader& file, const std::string& prefix)
      : file_(file), name_(prefix + "resid_mean") {
    if (!file.has(name_))
      throw DataError(file.path().string() + ": holds no " + name_ +
                      "; make the run with --trace depth");
    number_ = file.int64(prefix + "evaluation");
    step_ = file.int64(prefix + "eval_step");
    condition_ = file.texts(prefix + "condition");
    shape_ = file.shape(name_);
    const bool fits = shape_.size() == 4 && shape_[0] == number_.size() && shape_[2] > 1 &&
                      step_.size() == number_.size() && condition_.size() == number_.size();
    if (!fits) throw DataError(file.path().string() + ": " + name_ + ": its shape is another");
  }
  std::size_t size() const { return number_.size(); }
  std::int64_t number(std::size_t place) const { return number_[place]; }
  std::int64_t step(std::size_t place) const { return step_[place]; }
  const std::string& condition(std::size_t place) const { return condition_[place]; }
  /// [position, layer, d_model] f64; nullopt if the evaluation has none.
  std::optional<Tensor> mean(std::size_t place) const {
    auto values =
        file_.float32_block(name_, {place, 0, 0, 0}, {1, shape_[1], shape_[2], shape_[3]});
    if (values.empty() || std::isnan(values.front())) return std::nullopt;
    const auto size = [&](std::size_t i) { return static_cast<std::int64_t>(shape_[i]); };
    return at::from_blob(values.data(), {size(1), size(2), size(3)}, at::kFloat).to(at::kDouble);
  }

 private:
  const h5::Reader& file_;
  std::string name_;
  std::vector<std::int64_t> number_, step_;
  std::vector<std::string> condition_;
  h5::Shape shape_;
};

/// The place of the evaluation `wanted`, -1 the last, among those of the harmful requests.
std::size_t place_of(const Means& means, std::int64_t wanted, const std::string& file) {
  std::string numbers;
  for (std::size_t i = means.size(); i-- > 0;) {
    if (wanted == means.number(i) || (wanted < 0 && means.mean(i))) return i;
    numbers = std::to_string(means.number(i)) + (numbers.empty() ? "" : ", ") + numbers;
  }
  if (wanted < 0) throw DataError(file + ": no evaluation has a resid_mean that is a number");
  throw UsageError("--evaluation " + std::to_string(wanted) +
                   ": the evaluations of the set harmfulness in " + file + " are " + numbers);
}

}  // namespace

std::string write_mean_diffs(const h5::Reader& file, const ConvertSpec& spec,
                             const std::filesystem::path& place) {
  const std::string name = file.path().string();
  const Means harmful(file, ""), ordinary(file, "utility_");
  const auto chosen = place_of(harmful, spec.evaluation, name);
  const std::string which = name + ": evaluation " + std::to_string(harmful.number(chosen));
  const auto mean = harmful.mean(chosen);
  if (!mean) throw DataError(which + " has no resid_mean");
  std::optional<Tensor> other;
  for (std::size_t i = 0; i < ordinary.size(); ++i)
    if (ordinary.step(i) == harmful.step(chosen) &&
        ordinary.condition(i) == harmful.condition(chosen))
      other = ordinary.mean(i);
  if (!other || other->sizes() != mean->sizes())
    throw DataError(which + " has no utility_resid_mean of the same step and condition");
  const auto blocks = mean->size(1) - 1;
  const Tensor diffs = (*mean - *other).slice(1, 0, blocks).contiguous();  // [position,block,C] f64
  const std::vector<char> bytes = torch::jit::pickle_save(diffs);
  write_file_atomically(place, std::string_view(bytes.data(), bytes.size()));
  return "mean difference of evaluation " + std::to_string(harmful.number(chosen)) + " (step " +
         std::to_string(harmful.step(chosen)) + ", " + harmful.condition(chosen) +
         "): " + std::to_string(diffs.size(0)) + " positions, inputs of " + std::to_string(blocks) +
         " blocks, d_model " + std::to_string(diffs.size(2));
}

}  // namespace seawall
