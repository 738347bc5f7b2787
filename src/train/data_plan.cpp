#include "seawall/train/data_plan.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"

namespace seawall {
namespace {

/// Plans kept for later epochs hold at most so many tokens; a token costs about 100 bytes of index
/// tensors.
constexpr std::int64_t max_kept_tokens = 4'000'000;

/// The first token has nothing before it to be predicted from.
void drop_first_target(Sequence& row) {
  if (!row.loss.empty()) row.loss[0] = 0;
}

std::int64_t target_count(const Sequence& row) {
  return std::accumulate(row.loss.begin(), row.loss.end(), std::int64_t{0});
}

void check_row(const Sequence& row, std::size_t index) {
  if (row.ids.size() != row.loss.size())
    throw UsageError("row " + std::to_string(index) + ": want one loss flag a token, got " +
                     std::to_string(row.ids.size()) + " tokens and " +
                     std::to_string(row.loss.size()) + " flags");
}

/// Rows a micro-batch. Where nothing is said, each process has one, or, if some would have none, a
/// second one for some of them.
std::size_t micro_size(std::size_t rows, const DataOptions& options) {
  if (options.micro_batch_size > 0) return static_cast<std::size_t>(options.micro_batch_size);
  const auto ranks = static_cast<std::size_t>(options.ranks);
  const auto parts = [rows](std::size_t size) { return (rows + size - 1) / size; };
  const std::size_t even = parts(ranks);
  return parts(even) >= ranks ? even : std::max<std::size_t>(rows / ranks, 1);
}

/// `rows`, planned in micro-batches of at most DataOptions::micro_batch_size; `numbers` says which
/// rows they are, or nothing.
StepBatch plan_step(const std::vector<const Sequence*>& rows,
                    const std::vector<std::size_t>& numbers, const DataOptions& options,
                    at::Device device) {
  StepBatch out;
  const std::size_t size = micro_size(rows.size(), options);
  for (std::size_t at = 0; at < rows.size(); at += size) {
    std::vector<Sequence> part;
    auto micro = std::make_shared<MicroBatch>();
    for (std::size_t i = at; i < std::min(at + size, rows.size()); ++i) {
      part.push_back(*rows[i]);
      micro->targets += target_count(*rows[i]);
      if (numbers.empty()) continue;
      micro->rows.push_back(numbers[i]);
      micro->row_targets.push_back(target_count(*rows[i]));
    }
    for (const Sequence& row : part) out.tokens += static_cast<std::int64_t>(row.ids.size());
    if (static_cast<std::int64_t>(out.micro.size()) % options.ranks == options.rank)
      micro->plan =
          plan_batch(part, device,
                     {.share_prefixes = options.share_prefixes, .embeddings = options.embeddings});
    out.targets += micro->targets;
    out.micro.push_back(std::move(micro));
  }
  return out;
}

}  // namespace

RowOrder row_order_from(std::string_view name) {
  if (name == "as-given") return RowOrder::as_given;
  if (name == "shuffled") return RowOrder::shuffled;
  if (name == "reshuffled") return RowOrder::reshuffled;
  throw UsageError("row order: want as-given, shuffled or reshuffled, got '" + std::string(name) +
                   "'");
}

void DataOptions::check() const {
  const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
    if (value < least)
      throw UsageError(std::string(name) + ": want " + std::to_string(least) + " or more, got " +
                       std::to_string(value));
  };
  at_least("batch-size", batch_size, 1);
  at_least("micro-batch-size", micro_batch_size, 0);
  at_least("steps", steps, 0);
  at_least("epochs", epochs, steps > 0 ? 0 : 1);
  at_least("max-tokens", max_tokens, 0);
}

FixedRows::FixedRows(std::vector<Sequence> rows, const DataOptions& options, at::Device device)
    : options_(options), device_(device) {
  options_.check();
  report_.given = static_cast<std::int64_t>(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Sequence& row = rows[i];
    check_row(row, i);
    const std::size_t whole = row.ids.size();
    if (options_.max_tokens > 0 && whole > static_cast<std::size_t>(options_.max_tokens)) {
      row.ids.resize(static_cast<std::size_t>(options_.max_tokens));
      row.loss.resize(row.ids.size());
      ++report_.truncated;
    }
    drop_first_target(row);
    const std::int64_t targets = target_count(row);
    if (targets == 0) {
      if (report_.left_out++ == 0)
        report_.first_left_out = "row " + std::to_string(i) + ": " +
                                 std::to_string(row.ids.size()) + " of " + std::to_string(whole) +
                                 " tokens kept, none of them a target";
      continue;
    }
    report_.epoch_targets += targets;
    report_.epoch_tokens += static_cast<std::int64_t>(row.ids.size());
    rows_.push_back(std::move(row));
    given_.push_back(i);
  }
  report_.used = static_cast<std::int64_t>(rows_.size());
  if (rows_.empty())
    throw DataError("training rows: want at least one with an answer, got " +
                    std::to_string(report_.given) + " rows" +
                    (report_.left_out > 0
                         ? ", all left out (" + report_.first_left_out + "); raise --max-tokens"
                         : "; give the attack some data"));
  report_.batch_size = std::min(options_.batch_size, report_.used);
  options_.batch_size = report_.batch_size;
  per_epoch_ = report_.used / report_.batch_size;
  report_.dropped = report_.used - per_epoch_ * report_.batch_size;
  steps_ = options_.steps > 0 ? options_.steps : options_.epochs * per_epoch_;
  fixed_order_ = order(0);
  if (options_.order != RowOrder::reshuffled && steps_ > per_epoch_)
    kept_.resize(static_cast<std::size_t>(per_epoch_));
}

std::vector<std::size_t> FixedRows::order(std::int64_t epoch) const {
  if (!fixed_order_.empty() && options_.order != RowOrder::reshuffled) return fixed_order_;
  std::vector<std::size_t> out(rows_.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  if (options_.order == RowOrder::as_given) return out;
  const bool fixed = options_.order == RowOrder::shuffled;
  Rng rng = Rng(options_.seed).stream(fixed ? "data-order" : "data-order/" + std::to_string(epoch));
  rng.shuffle(out);
  return out;
}

std::int64_t FixedRows::rows_seen(std::int64_t steps) const {
  const std::int64_t batch = options_.batch_size;
  if (options_.order != RowOrder::reshuffled) return std::min(steps, per_epoch_) * batch;
  std::set<std::size_t> seen;
  for (std::int64_t epoch = 0; epoch * per_epoch_ < steps; ++epoch) {
    const auto places = order(epoch);
    const auto count = std::min(steps - epoch * per_epoch_, per_epoch_) * batch;
    seen.insert(places.begin(), places.begin() + count);
  }
  return static_cast<std::int64_t>(seen.size());
}

StepBatch FixedRows::batch(std::int64_t step) {
  const std::int64_t epoch = step / per_epoch_, index = step % per_epoch_;
  StepBatch* kept = kept_.empty() ? nullptr : &kept_[static_cast<std::size_t>(index)];
  StepBatch out;
  if (kept != nullptr && !kept->micro.empty()) {
    out = *kept;
  } else {
    const auto places = order(epoch);
    std::vector<const Sequence*> rows;
    std::vector<std::size_t> numbers;
    for (std::int64_t i = index * options_.batch_size; i < (index + 1) * options_.batch_size; ++i) {
      const std::size_t place = places[static_cast<std::size_t>(i)];
      rows.push_back(&rows_[place]);
      numbers.push_back(given_[place]);
    }
    out = plan_step(rows, numbers, options_, device_);
    if (kept != nullptr && kept_tokens_ + out.tokens <= max_kept_tokens) {
      kept_tokens_ += out.tokens;
      *kept = out;
    }
  }
  out.epoch = epoch;
  out.index = index;
  return out;
}

GeneratedRows::GeneratedRows(Make make, std::int64_t steps, std::int64_t steps_per_epoch,
                             const DataOptions& options, at::Device device)
    : make_(std::move(make)),
      steps_(steps),
      per_epoch_(steps_per_epoch > 0 ? steps_per_epoch : std::max<std::int64_t>(steps, 1)),
      options_(options),
      device_(device) {
  options_.check();
  if (steps < 1) throw UsageError("steps: want 1 or more, got " + std::to_string(steps));
}

StepBatch GeneratedRows::batch(std::int64_t step) {
  std::vector<Sequence> rows = make_(step);
  std::vector<const Sequence*> used;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Sequence& row = rows[i];
    check_row(row, i);
    if (options_.max_tokens > 0 && row.ids.size() > static_cast<std::size_t>(options_.max_tokens)) {
      row.ids.resize(static_cast<std::size_t>(options_.max_tokens));
      row.loss.resize(row.ids.size());
    }
    drop_first_target(row);
    if (target_count(row) > 0) used.push_back(&row);
  }
  if (used.empty())
    throw DataError("training rows of step " + std::to_string(step) +
                    ": want at least one with a target, got " + std::to_string(rows.size()) +
                    " rows and none");
  StepBatch out = plan_step(used, {}, options_, device_);
  out.epoch = step / per_epoch_;
  out.index = step % per_epoch_;
  return out;
}

std::vector<Sequence> encode_rows(const Dataset& rows, const ChatTemplate& chat,
                                  const Tokenizer& tokenizer, PictureRows* pictures) {
  std::vector<Sequence> out;
  out.reserve(rows.size());
  for (const Example& row : rows.rows) {
    try {
      EncodedDialogue encoded = chat.encode_example(row.dialogue, tokenizer);
      if (row.dialogue.picture != nullptr) {
        if (pictures == nullptr)
          throw DataError("it has a picture, and the model has no picture encoder; give --vision");
        pictures->place(*row.dialogue.picture, encoded.ids, &encoded.loss);
      }
      out.push_back({std::move(encoded.ids), std::move(encoded.loss)});
    } catch (const DataError& error) {
      throw DataError("row " + (row.id.empty() ? std::to_string(out.size()) : row.id) + ": " +
                      error.what());
    }
  }
  return out;
}

}  // namespace seawall
