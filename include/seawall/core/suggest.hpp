#pragma once
// The nearest of the names there are, for messages about one that is not.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seawall {

/// The known name with the fewest single-letter edits from `name`, where that is few enough to be a
/// slip of the hand.
std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& known);

}  // namespace seawall
