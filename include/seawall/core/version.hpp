#pragma once

namespace seawall {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace seawall
