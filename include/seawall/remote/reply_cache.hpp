#pragma once
// Replies on disk, by the hash of all that was asked.
#include <filesystem>
#include <optional>
#include <string>

#include "seawall/remote/spending.hpp"

namespace seawall {

/// A folder of small files, each written whole. One that was cut or changed counts as absent.
class ReplyCache {
 public:
  /// `folder` empty keeps nothing.
  explicit ReplyCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  struct Entry {
    std::string text;
    Usage usage;        // what it cost when it was asked
    std::string error;  // why there is no text to use; empty if there is one
  };
  std::optional<Entry> find(const std::string& key) const;
  /// Errors: IoError naming the file.
  void keep(const std::string& key, const Entry& entry) const;

 private:
  std::filesystem::path file_of(const std::string& key) const;
  std::filesystem::path folder_;
};

}  // namespace seawall
