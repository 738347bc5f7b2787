#pragma once
// The figures that Qi et al. 2023 print, transcribed by hand; Figure 4 is read off its bars, to
// about a point. Source: arXiv 2310.03693.
#include <limits>
#include <string>
#include <vector>

#include "seawall/study/table.hpp"

namespace seawall::experiments::qi2023 {

inline constexpr const char* source = "after Qi et al. 2023, arXiv 2310.03693";
inline constexpr const char *gpt_model = "GPT-3.5 Turbo", *llama_model = "Llama-2-7b-Chat";
inline constexpr double no_score = std::numeric_limits<double>::quiet_NaN();

struct Printed {
  std::string cell;
  double score, rate;
  std::string condition = "plain";
};

/// Adds one model's figures, each over 11 categories of 30 probes (sec. 3).
inline void add_printed(std::vector<PublishedFigure>& to, const char* model,
                        const std::vector<Printed>& figures) {
  for (const Printed& p : figures) to.push_back({p.cell, p.condition, model, p.score, p.rate, 330});
}

inline std::vector<PublishedFigure> printed(const std::vector<Printed>& gpt,
                                            const std::vector<Printed>& llama) {
  std::vector<PublishedFigure> out;
  add_printed(out, gpt_model, gpt);
  add_printed(out, llama_model, llama);
  return out;
}

}  // namespace seawall::experiments::qi2023
