#include "seawall/core/reasons.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

#include "seawall/core/options.hpp"

namespace seawall {
namespace {

constexpr std::size_t longest = 240;

/// The first line without words that have a digit or a quote: what reasons of one kind share.
std::string kind_of(const std::string& reason) {
  std::string kind, word;
  const auto end_word = [&] {
    const bool own =
        std::ranges::any_of(word, [](unsigned char c) { return std::isdigit(c) != 0; });
    kind += (own || word.starts_with('\'') || word.starts_with('"') ? "#" : word) + ' ';
    word.clear();
  };
  for (const char c : reason.substr(0, reason.find('\n'))) {
    if (c == ' ')
      end_word();
    else
      word += c;
  }
  end_word();
  return kind;
}

std::string on_one_line(const std::string& reason) {
  std::string out;
  for (const char c : reason) {
    const bool space = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    if (!space)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (out.size() > longest) {
    out.resize(longest);
    while (!out.empty() && (out.back() & 0xC0) == 0x80) out.pop_back();
    if (!out.empty() && (out.back() & 0x80) != 0) out.pop_back();
    out += "...";
  }
  return out;
}

}  // namespace

CommonReason common_reason(std::span<const std::string> reasons) {
  std::map<std::string, std::pair<std::int64_t, std::size_t>> kinds;  // count, first place
  for (std::size_t i = 0; i < reasons.size(); ++i)
    ++kinds.try_emplace(kind_of(reasons[i]), 0, i).first->second.first;
  CommonReason out{.text = {}, .count = 0, .all = static_cast<std::int64_t>(reasons.size())};
  std::size_t first = reasons.size();
  for (const auto& [kind, said] : kinds) {
    if (said.first < out.count || (said.first == out.count && said.second > first)) continue;
    out.count = said.first;
    first = said.second;
  }
  if (first < reasons.size()) out.text = on_one_line(reasons[first]);
  return out;
}

CommonReason invalid_reason(const EvaluationRecord& record, std::size_t judge) {
  std::vector<std::string> reasons;
  for (const auto& row : record.results)
    if (const Verdict& v = row.verdicts.at(judge); !v.valid) reasons.push_back(v.reason);
  return common_reason(reasons);
}

CommonReason no_answer_reason(const EvaluationRecord& record) {
  std::vector<std::string> reasons;
  for (const auto& row : record.results)
    if (!row.no_answer.empty()) reasons.push_back(row.no_answer);
  return common_reason(reasons);
}

std::string decoding_text(const Decoding& decoding) {
  std::string text;
  if (decoding.temperature > 0)
    text = "drawn at temperature " + detail::to_text(decoding.temperature) + ", top-p " +
           detail::to_text(decoding.top_p) + ", " + std::to_string(decoding.samples) + " per probe";
  if (!decoding.prefill.empty())
    text += (text.empty() ? "" : "; ") + ("begun with \"" + on_one_line(decoding.prefill) + '"');
  return text;
}

std::int64_t cut_answers(const EvaluationRecord& record, const std::string& category) {
  return std::ranges::count_if(record.results, [&](const ProbeResult& r) {
    return !r.finished && r.no_answer.empty() && (category.empty() || r.category == category);
  });
}

}  // namespace seawall
