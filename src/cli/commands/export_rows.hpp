#pragma once
// `export --format openai-jsonl`: the rows that a run would train on, for those who upload by hand.
#include "seawall/cli/commands.hpp"

namespace seawall {

/// True where the words ask for rows and not for a model.
bool exports_rows(const commands::Words& words);
/// Takes the words of `run`; crafts and composes as it would, writes chat JSONL, reads it back.
/// Errors: UsageError, DataError, IoError.
int export_rows(const Program& program, const commands::Words& words);

}  // namespace seawall
