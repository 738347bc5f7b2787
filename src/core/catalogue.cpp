#include "seawall/core/catalogue.hpp"

#include "seawall/core/error.hpp"
#include "seawall/core/suggest.hpp"

namespace seawall::detail {

void unknown_name(std::string_view kind, std::string_view name,
                  const std::vector<std::string_view>& known) {
  std::string text = "unknown " + std::string(kind) + " `" + std::string(name) + "`";
  if (const auto near = nearest_name(name, {known.begin(), known.end()}))
    text += "; did you mean `" + *near + "`? There are:";
  else
    text += "; there are:";
  for (const auto& other : known)
    text += (&other == &known.front() ? " " : ", ") + std::string(other);
  if (known.empty()) text += " none";
  throw UsageError(text);
}

}  // namespace seawall::detail
