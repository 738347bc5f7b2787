#pragma once
// Texts in which there is nothing to read.
#include <string_view>

namespace seawall {

/// True if nothing in it can be seen: empty, spaces of Unicode, marks of zero width.
bool is_invisible(std::string_view text);

}  // namespace seawall
