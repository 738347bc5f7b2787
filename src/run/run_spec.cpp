#include "seawall/run/run_spec.hpp"

#include <sstream>

namespace seawall {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string word; std::getline(in, word, ',');) {
    const auto first = word.find_first_not_of(" \t"), last = word.find_last_not_of(" \t");
    if (first != std::string::npos) out.push_back(word.substr(first, last - first + 1));
  }
  return out;
}

}  // namespace seawall
