#pragma once
// What `describe` says of a plug-in: a policy's options, a reader's formats, a family's facts.
#include <optional>
#include <string>

#include "seawall/cli/program.hpp"

namespace seawall {

/// Of the entry of that name; of a judge also of one of its words, `keyword:qi2023`. Nullopt
/// without such an entry.
std::optional<std::string> text_of(const AttackCatalogue& attacks, const std::string& name);
std::optional<std::string> text_of(const MitigationCatalogue& mitigations, const std::string& name);
std::optional<std::string> text_of(const JudgeCatalogue& judges, const std::string& name);
std::optional<std::string> text_of(const ReaderCatalogue& readers, const std::string& name);
std::optional<std::string> text_of(const ScenarioCatalogue& scenarios, const std::string& name);
std::optional<std::string> text_of(const FamilyCatalogue& families, const std::string& name);

}  // namespace seawall
