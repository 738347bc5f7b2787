#include "seawall/text/special_splitter.hpp"

#include <algorithm>

namespace seawall {

SpecialSplitter::SpecialSplitter(std::vector<std::pair<std::string, std::int32_t>> names)
    : names_(std::move(names)) {
  std::erase_if(names_, [](const auto& name) { return name.first.empty(); });
  const auto first = [](const auto& name) { return static_cast<unsigned char>(name.first[0]); };
  std::ranges::stable_sort(names_, [&](const auto& a, const auto& b) {
    return first(a) != first(b) ? first(a) < first(b) : a.first.size() > b.first.size();
  });
  for (const auto& name : names_) ++begins_[first(name) + std::size_t{1}];
  for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
}

std::vector<TextPiece> SpecialSplitter::cut(std::string_view text, std::string_view content) const {
  std::vector<TextPiece> pieces;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const auto fits = [&](const auto& name) {
      return text.substr(i).starts_with(name.first) &&
             (content.empty() || content.substr(i, name.first.size()).find_first_not_of('\0') ==
                                     std::string_view::npos);
    };
    const auto end = names_.begin() + static_cast<std::ptrdiff_t>(begins_[first + std::size_t{1}]);
    const auto found =
        std::find_if(names_.begin() + static_cast<std::ptrdiff_t>(begins_[first]), end, fits);
    if (found == end) {
      ++i;
      continue;
    }
    if (i > start) pieces.push_back({start, i});
    pieces.push_back({i, i + found->first.size(), found->second});
    i += found->first.size();
    start = i;
  }
  if (start < text.size()) pieces.push_back({start, text.size()});
  return pieces;
}

}  // namespace seawall
