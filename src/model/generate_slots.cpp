#include "model/generate_slots.hpp"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <deque>
#include <string>

#include "model/answer.hpp"
#include "model/readback.hpp"
#include "model/slots.hpp"

namespace seawall {
namespace {

using SlotPrompts = std::vector<std::vector<std::int32_t>>;

/// Tokens of prompts that are run together, shared prefixes counted as often as they come.
constexpr std::size_t fill_tokens = 16384;

/// Slots that no prompt waits for are given up once there are at least so many, and they are half
/// of all. Giving up copies the keys of the others, and graphs are captured again.
constexpr std::size_t given_up = 8;

/// Prompts on their way through the slots.
class SlotRun {
 public:
  SlotRun(const Decoder& decoder, const SlotPrompts& prompts, const GenerateOptions& options,
          std::int64_t slots)
      : decoder_(decoder),
        prompts_(prompts),
        options_(options),
        rows_(prompts.size()),
        over_(prompts.size()),
        launched_(prompts.size()),
        streams_(prompts.size()),
        row_in_(static_cast<std::size_t>(slots), none),
        engine_(decoder, engine_options(slots)) {
    for (std::int64_t s = slots; s-- > 0;) free_.push_back(s);
  }

  GenerateResult run() {
    for (;;) {
      const bool launched = launch();
      if (sent_.empty()) break;
      if (!launched || sent_.size() > 1) take();
    }
    GenerateResult out;
    if (!options_.answer_layers.empty())
      for (std::size_t r = 0; r < rows_.size(); ++r)
        rows_[r].residual = joined_streams(streams_[r], decoder_, options_);
    out.rows = std::move(rows_);
    if (!residuals_.empty()) out.residual = at::cat(residuals_);
    return out;
  }

 private:
  static constexpr std::int64_t none = -1;
  using Columns = std::vector<std::int64_t>;  // the row of each token that was sent, or none

  std::int64_t room(std::size_t row) const {
    return room_of(decoder_, options_, prompts_[row].size());
  }

  SlotOptions engine_options(std::int64_t slots) const {
    SlotOptions out{.slots = slots,
                    .max_new_tokens = options_.max_new_tokens,
                    .stop_ids = options_.stop_ids,
                    .rules = options_.rules,
                    .temperature = options_.temperature,
                    .top_p = options_.top_p,
                    .log_probs = options_.log_probs,
                    .layers = options_.answer_layers,
                    .residual = options_.residual,
                    .edit = options_.edit,
                    .embeddings = options_.embeddings};
    for (std::size_t r = 0; r < prompts_.size(); ++r)
      out.places = std::max(out.places, static_cast<std::int64_t>(prompts_[r].size()) + room(r));
    return out;
  }

  /// Launches the work that is due. Returns whether there was any.
  bool launch() {
    const auto left = prompts_.size() - waiting_;  // at least a quarter, or all that are left
    if (left > 0 && (4 * free_.size() >= row_in_.size() || free_.size() >= left)) {
      while (waiting_ < prompts_.size() && !free_.empty()) fill();
      return true;
    }
    if (left == 0 && free_.size() >= given_up && 2 * free_.size() >= row_in_.size() &&
        free_.size() < row_in_.size())
      shrink();
    Columns columns;
    std::int64_t widest = 0;
    for (const auto row : row_in_) {
      const bool goes_on = row != none && launched_[row] < room(row);
      columns.push_back(goes_on ? row : none);
      if (!goes_on) continue;
      widest = std::max(widest, static_cast<std::int64_t>(prompts_[row].size()) + launched_[row]);
      ++launched_[row];
    }
    if (widest == 0) return false;
    send(engine_.step(widest), std::move(columns));
    return true;
  }

  /// Puts as many waiting prompts into free slots as are run together.
  void fill() {
    std::vector<SlotPrompt> prompts;
    Columns columns;
    for (std::size_t tokens = 0; waiting_ < prompts_.size() && !free_.empty(); ++waiting_) {
      const auto& ids = prompts_[waiting_];
      tokens += ids.size();
      if (!prompts.empty() && tokens > fill_tokens) break;
      const auto slot = free_.back();
      free_.pop_back();
      prompts.push_back({.slot = slot, .ids = ids, .room = room(waiting_)});
      if (options_.temperature > 0) prompts.back().stream = options_.streams[waiting_];
      row_in_[static_cast<std::size_t>(slot)] = static_cast<std::int64_t>(waiting_);
      launched_[waiting_] = 1;
      columns.push_back(static_cast<std::int64_t>(waiting_));
    }
    const auto filled = engine_.fill(prompts);
    if (options_.residual) residuals_.push_back(filled.residual.to(at::kCPU, at::kFloat));
    send(filled.first, std::move(columns));
  }

  /// Goes on with the slots that are in use.
  void shrink() {
    std::vector<std::int64_t> slots, rows;
    for (std::size_t s = 0; s < row_in_.size(); ++s) {
      if (row_in_[s] == none) continue;
      slots.push_back(static_cast<std::int64_t>(s));
      rows.push_back(row_in_[s]);
    }
    engine_.keep(slots);
    row_in_ = std::move(rows);
    free_.clear();
  }

  void send(const SlotTokens& tokens, Columns columns) {
    facts_.send(tokens.facts);
    if (tokens.streams.defined()) streams_sent_.send(tokens.streams);
    sent_.push_back(std::move(columns));
  }

  /// Waits for the oldest tokens that were sent, and gives them to their rows.
  void take() {
    const auto rows = std::move(sent_.front());
    sent_.pop_front();
    const Tensor facts = facts_.take();  // [2 or 3,m]
    const Tensor streams =
        options_.answer_layers.empty() ? Tensor() : streams_sent_.take();  // [m,K,C]
    const auto m = static_cast<std::int64_t>(rows.size());
    const auto* ids = facts.const_data_ptr<double>();
    for (std::int64_t i = 0; i < m; ++i) {
      const auto row = rows[static_cast<std::size_t>(i)];
      if (row == none || over_[row]) continue;  // it ended, and was computed on for one token
      if (ids[m + i] == 0)
        throw_not_finite(decoder_, options_, prompts_[row], rows_[row],
                         "prompt " + std::to_string(row));
      Generation& answer = rows_[row];
      const auto before = answer.ids.size();
      ++new_tokens_;
      over_[row] =
          take_token(options_, prompts_[row], room(row), answer, static_cast<std::int32_t>(ids[i]));
      if (answer.ids.size() > before) {
        if (options_.log_probs) answer.log_probs.push_back(static_cast<float>(ids[2 * m + i]));
        if (streams.defined())
          streams_[row].push_back(streams.select(0, i).to(at::kFloat, false, /*copy=*/true));
      }
      if (over_[row]) release(row);
    }
    if (options_.progress) options_.progress(done_, new_tokens_);
  }

  void release(std::int64_t row) {
    const auto slot = std::ranges::find(row_in_, row) - row_in_.begin();
    row_in_[static_cast<std::size_t>(slot)] = none;
    free_.push_back(slot);
    ++done_;
  }

  const Decoder& decoder_;
  const SlotPrompts& prompts_;
  const GenerateOptions& options_;
  std::vector<Generation> rows_;
  std::vector<char> over_;              // answers that have ended, as far as the host knows
  std::vector<std::int64_t> launched_;  // tokens of each answer, taken or on their way
  std::vector<std::vector<Tensor>> streams_;
  std::vector<std::int64_t> row_in_;  // of each slot, or none
  std::vector<std::int64_t> free_;    // slots
  std::size_t waiting_ = 0;           // the first prompt that has had no slot yet
  SlotEngine engine_;
  Readback facts_, streams_sent_;
  std::deque<Columns> sent_;
  std::vector<Tensor> residuals_;
  std::int64_t done_ = 0, new_tokens_ = 0;
};

}  // namespace

bool chooses_in_slots(const Decoder& decoder, const GenerateOptions& options) {
  return !decoder.device().is_cpu() && options.max_new_tokens > 0 &&
         SlotRules::can(options.rules) && !options.choose;
}

GenerateResult generate_in_slots(const Decoder& decoder, const SlotPrompts& prompts,
                                 const GenerateOptions& options, std::int64_t slots) {
  return SlotRun(decoder, prompts, options,
                 std::min(slots, static_cast<std::int64_t>(prompts.size())))
      .run();
}

}  // namespace seawall
