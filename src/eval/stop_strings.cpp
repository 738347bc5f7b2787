#include "seawall/eval/stop_strings.hpp"

#include <algorithm>

namespace seawall {

bool completes_stop_string(const Tokenizer& tokenizer, const std::vector<std::string>& stops,
                           std::span<const std::int32_t> prompt,
                           std::span<const std::int32_t> answer) {
  std::size_t longest = 0;
  for (const auto& stop : stops) longest = std::max(longest, stop.size());
  TokenIds all(prompt.begin(), prompt.end());
  all.insert(all.end(), answer.begin(), answer.end());
  // A token has at least one byte; what is before so many tokens cannot be part of a stop string.
  if (const auto keep = longest + 8; all.size() > keep)
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(keep));
  const auto picture = std::find_if(all.rbegin(), all.rend(), [](auto id) { return id < 0; });
  all.erase(all.begin(), picture.base());
  if (all.empty()) return false;
  const auto text = tokenizer.decode(all, false);
  all.pop_back();
  const auto before = tokenizer.decode(all, false);
  const auto same = static_cast<std::size_t>(std::ranges::mismatch(text, before).in1 -
                                             text.begin());  // the last token's text follows
  return std::ranges::any_of(stops, [&](const std::string& stop) {
    return text.find(stop, same - std::min(same, stop.size() - 1)) != std::string::npos;
  });
}

}  // namespace seawall
