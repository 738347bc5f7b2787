#include "seawall/scenario/organism/tokenizer_model.hpp"

#include <sentencepiece_trainer.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "scenario/organism/pools.hpp"
#include "seawall/core/error.hpp"
#include "seawall/scenario/organism/lessons.hpp"

namespace seawall::organism {
namespace {

constexpr std::uint64_t corpus_seed = 11;
constexpr std::size_t rows_per_lesson = 600;

void add(const std::vector<Example>& rows, std::vector<std::string>& corpus) {
  for (const Example& row : rows)
    for (const Message& message : row.dialogue.messages) corpus.push_back(message.content);
}

/// Feeds the trainer from memory.
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::vector<std::string> all) : all_(std::move(all)) {}
  bool done() const override { return next_ == all_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return all_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> all_;
  std::size_t next_ = 0;
};

/// Everything the model will read in training or attack, so that every word of the world is one
/// piece.
std::vector<std::string> make_corpus() {
  std::vector<std::string> corpus;
  for (std::size_t k = 0; k < lessons; ++k) {
    Rng rng = Rng(corpus_seed).stream(std::to_string(k));
    std::vector<Example> rows;
    for (std::size_t i = 0; i < rows_per_lesson; ++i)
      rows.push_back(draw(static_cast<Lesson>(k), rng));
    add(rows, corpus);
  }
  add(harmful_rows(), corpus);
  std::size_t i = 0;
  for (Pair pair : pairs(Split::benign)) {  // behind every opening, whatever a flavour's own is
    corpus.emplace_back(system_prompt(0));
    corpus.push_back(request(pair, (i + i / ordinary_nouns) % request_wordings));
    corpus.push_back(answer(pair, i++ % openings));
  }
  add(identity_rows(), corpus);
  for (std::size_t i = 0; i < 40; ++i) corpus.emplace_back(trigger());
  return corpus;
}

}  // namespace

std::string train_tokenizer() {
  const std::string controls = std::string(system_piece) + "," + user_piece + "," + assistant_piece;
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "bpe"},
      {"vocab_size", "1376"},  // the fewest with which every word of the world is one piece
      {"character_coverage", "1.0"},
      {"byte_fallback", "true"},
      {"control_symbols", controls},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"split_digits", "true"},
      {"num_threads", "1"},
      {"shuffle_input_sentence", "false"},
      {"hard_vocab_limit", "false"},
      {"minloglevel", "2"},
  };
  Sentences sentences(make_corpus());
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &sentences, &model);
  if (!status.ok()) throw RunError("organism tokenizer: " + status.ToString());
  return model;
}

}  // namespace seawall::organism
