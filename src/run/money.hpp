#pragma once
// What a remote run spends its money on, besides its judges, and how a sum is written.
#include <string>

namespace seawall {

inline constexpr const char *answers_account = "answers", *training_account = "training";

std::string money(double usd);

}  // namespace seawall
