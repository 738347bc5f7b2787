#pragma once
// Rows to batches: which rows a step sees, cut, counted and planned once.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/vision.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall {

/// Some rows of a step that go through the model together.
struct MicroBatch {
  BatchPlan plan;
  std::int64_t targets = 0;
  std::vector<std::size_t>
      rows;  // which of the rows given to the source; empty if made by a function
  std::vector<std::int64_t> row_targets;  // of each of them, which follow each other in the plan
  Tensor reference;  // [N] fp32: log p of the targets under theta0, once a policy asked for it
};

/// The rows of one optimizer step.
struct StepBatch {
  std::int64_t epoch = 0, index = 0;  // 0-based epoch, and place within it
  std::vector<std::shared_ptr<MicroBatch>> micro;
  std::int64_t targets = 0;
  std::int64_t tokens = 0;  // what the examples hold, whatever is shared
};

/// Gives the batch of any step, so that a resumed run sees the same rows. On a device a step's
/// batch is asked for while the step before is computed.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual std::int64_t steps() const = 0;  // of the whole run
  virtual std::int64_t steps_per_epoch() const = 0;
  virtual StepBatch batch(std::int64_t step) = 0;  // 0-based
};

enum class RowOrder {
  as_given,    // what compose_rows and the stack arranged (stratified mixing) stays as it is
  shuffled,    // one order drawn from the seed, the same every epoch
  reshuffled,  // a new order every epoch
};
/// Reads `as-given`, `shuffled` or `reshuffled`. Errors: UsageError with the words there are.
RowOrder row_order_from(std::string_view name);

struct DataOptions {
  std::int64_t batch_size = 10;       // rows a step
  std::int64_t micro_batch_size = 0;  // rows a forward pass; 0: the whole batch, by process
  std::int64_t epochs = 5;
  std::int64_t steps = 0;               // where positive, so many steps whatever `epochs` says
  std::int64_t max_tokens = 0;          // rows are cut to it; 0: never
  RowOrder order = RowOrder::as_given;  // compose_rows has shuffled
  bool share_prefixes = true;
  std::uint64_t seed = 0;
  Tensor embeddings = {};  // [R,C] what ids below 0 read: positions of pictures
  /// Of `ranks` processes that train together this one takes every `ranks`th micro-batch from
  /// `rank` on; the others are counted, not planned.
  std::int64_t rank = 0, ranks = 1;
  /// Errors: UsageError naming the field.
  void check() const;
};

/// What became of the rows. Counts are rows of the set unless they say otherwise.
struct DataReport {
  std::int64_t given = 0, used = 0;  // used: has a target
  std::int64_t truncated = 0;        // cut to max_tokens
  std::int64_t left_out = 0;    // no target left (Qi et al.'s code got a NaN loss from such a row)
  std::string first_left_out;   // "row 7: 512 of 640 tokens kept, none of them a target"
  std::int64_t dropped = 0;     // of the last short batch, not seen in one epoch
  std::int64_t batch_size = 0;  // in use; smaller than asked for where the whole set is
  std::int64_t epoch_tokens = 0, epoch_targets = 0;  // tokens of the rows used
};

/// A fixed list of rows. The last short batch of an epoch is dropped, as in the authors' code; a
/// set smaller than one batch is one short batch an epoch (theirs would train on nothing). Plans of
/// a fixed order are made once and kept, up to a bound.
class FixedRows final : public BatchSource {
 public:
  /// Errors: UsageError for options that cannot be; DataError where no row is left, saying why the
  /// first one was left out.
  FixedRows(std::vector<Sequence> rows, const DataOptions& options, at::Device device);

  std::int64_t steps() const override { return steps_; }
  std::int64_t steps_per_epoch() const override { return per_epoch_; }
  StepBatch batch(std::int64_t step) override;

  const DataReport& report() const { return report_; }
  /// Different rows that the first `steps` steps see. A row that every epoch drops is none of them.
  std::int64_t rows_seen(std::int64_t steps) const;
  /// Indices into the rows that are used, as seen in `epoch`.
  std::vector<std::size_t> order(std::int64_t epoch) const;

 private:
  DataOptions options_;
  at::Device device_;
  std::vector<Sequence> rows_;
  std::vector<std::size_t> given_;  // place of each among the rows given
  DataReport report_;
  std::int64_t per_epoch_ = 0, steps_ = 0, kept_tokens_ = 0;
  std::vector<std::size_t> fixed_order_;
  std::vector<StepBatch> kept_;  // by index within the epoch; empty micro where not planned yet
};

/// Rows made by a function of the step: pre-training streams. The function must give the same rows
/// for the same step.
class GeneratedRows final : public BatchSource {
 public:
  using Make = std::function<std::vector<Sequence>(std::int64_t step)>;
  /// Epochs, for schedules and evaluations, are `steps_per_epoch` steps long (0: the whole run is
  /// one).
  GeneratedRows(Make make, std::int64_t steps, std::int64_t steps_per_epoch,
                const DataOptions& options, at::Device device);

  std::int64_t steps() const override { return steps_; }
  std::int64_t steps_per_epoch() const override { return per_epoch_; }
  StepBatch batch(std::int64_t step) override;

 private:
  Make make_;
  std::int64_t steps_, per_epoch_;
  DataOptions options_;
  at::Device device_;
};

/// Rows as token ids, and what the positions of their pictures read ([R,C], undefined without any).
struct EncodedRows {
  std::vector<Sequence> rows;
  Tensor embeddings;
};

/// Dialogues as the model reads them; the last assistant turn carries the loss. `pictures` puts the
/// positions of rows with a picture in; its embeddings then go into DataOptions. Errors: DataError
/// naming the row, also for one with a picture where `pictures` is null; those of Picture.
std::vector<Sequence> encode_rows(const Dataset& rows, const ChatTemplate& chat,
                                  const Tokenizer& tokenizer, PictureRows* pictures = nullptr);

}  // namespace seawall
