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

}  // namespace seawall
