#pragma once
// Files that are not UTF-8: which encoding they may be in, and how to convert them.
#include <string>
#include <string_view>

namespace seawall {

/// What a file that is no text is, by its first bytes ("a Parquet file"); empty if they are not
/// known.
std::string_view kind_of_binary(std::string_view bytes);

/// A sentence for the error about a text that is not UTF-8: the encoding that it seems to have, and
/// the command that converts `file`. If most of its characters beyond ASCII are UTF-8, it says that
/// only some lines are wrong.
std::string encoding_hint(std::string_view text, const std::string& file);

}  // namespace seawall
