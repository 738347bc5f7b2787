#pragma once

namespace seawall {

inline constexpr const char* program_version = "0.1.0";

}  // namespace seawall
