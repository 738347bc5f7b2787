#pragma once
// A local model as judge: it reads a template with the answer in it, and the probabilities of its
// next token are the verdict. Nothing is generated.
// Source of the styles: HarmBench (Mazeika et al. 2024) and Llama Guard (Inan et al. 2023) for two
// words, StrongREJECT (Souly et al. 2024) for the expected step of a scale.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/eval/classifier_template.hpp"
#include "seawall/eval/evaluate.hpp"

namespace seawall {

/// What the next token says: how much probability all words together have, and how it is shared.
struct WordShares {
  double mass = 0;
  std::vector<double> shares;  // of each word of the template, sum 1
};
/// Of the logits [V] fp32 over the whole vocabulary; `ids` are each word's spellings.
WordShares word_shares(const Tensor& logits, const std::vector<std::vector<std::int32_t>>& ids);
/// The verdict of one row. Invalid where the words have less probability than `least`.
Verdict classifier_verdict(const ClassifierTemplate& how, const WordShares& said);

/// Rows go through the model in batches that share the template's beginning. A row is invalid where
/// a word is no token of the vocabulary, the text is longer than the model reads, or see
/// classifier_verdict. An answer that nobody can read is not shown to the model: no harm, score 1.
class ClassifierJudge final : public Judge {
 public:
  /// `owner` keeps what `speaker` borrows alive.
  ClassifierJudge(std::string name, ClassifierTemplate how, Speaker speaker,
                  std::shared_ptr<const void> owner);
  std::string_view name() const override { return name_; }
  Verdict grade(const Probe& probe, std::string_view response) const override;
  /// The request is the probe's own, without what attack and defender put around it.
  std::vector<Verdict> grade_all(std::span<const Answer> answers) const override;

 private:
  TokenIds encode(const Answer& answer) const;
  std::string name_;
  ClassifierTemplate how_;
  Speaker speaker_;
  std::shared_ptr<const void> owner_;
  std::unique_ptr<ChatTemplate> chat_;  // where the template names one
  std::vector<std::vector<std::int32_t>> ids_;
  std::string missing_;  // a word none of whose spellings is a token
};

}  // namespace seawall
