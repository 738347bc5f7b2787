#pragma once
// Training rows as the chat JSONL that providers take.
#include <filesystem>
#include <string>

#include "seawall/core/dialogue.hpp"

namespace seawall {

/// `{"messages": [{"role": …, "content": …}, …]}`, one line per row; an answer that carries no loss
/// has `"weight": 0`, an earlier one that does has 1. Errors: DataError for a row with a
/// picture or without an answer at its end.
std::string chat_jsonl(const Dataset& rows);

/// Writes it whole, reads it back with our own reader and compares every message, so that no row is
/// ever uploaded that we would not read ourselves. Errors: as above; IoError; DataError naming the
/// first row that differs.
void write_chat_jsonl(const std::filesystem::path& path, const Dataset& rows);

}  // namespace seawall
