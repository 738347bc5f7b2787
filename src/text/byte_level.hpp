#pragma once
// GPT-2's alphabet, in which every byte is one printable character, and text that may hold broken
// UTF-8.
#include <optional>
#include <string>
#include <string_view>

namespace seawall {

/// The bytes of a token written in the alphabet; nullopt where a character is not in it.
std::optional<std::string> bytes_from_alphabet(std::string_view token);
/// The character that stands for a byte, as UTF-8.
std::string alphabet_from_byte(unsigned char byte);
/// Replaces each broken sequence by U+FFFD, as a browser and Rust's from_utf8_lossy do.
std::string repair_utf8(std::string bytes);

}  // namespace seawall
