#pragma once
// A value of tokenizer.json with the path that leads to it, for errors.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/text/tokenizer.hpp"

namespace seawall::tokenizer_json {

using nlohmann::json;

inline constexpr std::size_t max_token_ids = std::size_t{1} << 21;

// The splitting expressions of published tokenizer.json files, with the name that llama.cpp gives
// them.
struct KnownPattern {
  std::string_view name, expression;
};
// clang-format off
inline constexpr KnownPattern known_patterns[] = {
    {"gpt-2", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {"llama-bpe", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                  R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"qwen2", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
              R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};
// clang-format on

/// A value with the path of keys that leads to it, for errors.
class Node {
 public:
  Node(const json& value, std::string path, const std::string& where)
      : value_(value), path_(std::move(path)), where_(where) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + ": " + (path_.empty() ? "top" : path_) + ": " + what);
  }
  bool null() const { return value_.is_null(); }
  bool has(const char* key) const {
    return value_.is_object() && value_.contains(key) && !value_[key].is_null();
  }
  Node at(const char* key) const {
    if (!value_.is_object()) fail("want an object");
    const auto found = value_.find(key);
    if (found == value_.end()) fail("field '" + std::string(key) + "' is missing");
    return {*found, path_.empty() ? key : path_ + "." + key, where_};
  }
  Node child(const json& value, const std::string& name) const {
    return {value, path_ + "['" + shown(name) + "']", where_};
  }
  std::vector<Node> items() const {
    if (!value_.is_array()) fail("want an array");
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < value_.size(); ++i) {
      nodes.push_back({value_[i], path_ + "[" + std::to_string(i) + "]", where_});
    }
    return nodes;
  }
  const std::string& text() const {
    if (!value_.is_string()) fail("want a text");
    return value_.get_ref<const std::string&>();
  }
  std::int32_t id() const {
    if (!value_.is_number_unsigned() || value_.get<std::uint64_t>() >= max_token_ids) {
      fail("want a token id, 0 to 2097151");
    }
    return value_.get<std::int32_t>();
  }
  bool flag() const {
    if (!value_.is_boolean()) fail("want true or false");
    return value_.get<bool>();
  }
  /// Errors where the field is there and is neither null, nor false, nor an empty text.
  void want_off(const char* key) const {
    if (!has(key)) return;
    const auto& value = value_[key];
    if (value == false || value == "" || (value.is_array() && value.empty())) return;
    at(key).fail("is set, which is not supported");
  }
  void want_text(const char* key, std::string_view wanted) const {
    if (at(key).text() != wanted) {
      at(key).fail("is '" + shown(at(key).text()) + "', want '" + std::string(wanted) + "'");
    }
  }
  const json& value() const { return value_; }

 private:
  const json& value_;
  std::string path_;
  const std::string& where_;
};

// tokenizer_json_steps.cpp: the steps before and after the model. Errors name the field.
void read_normalizer(const Node& top, BpeSpec& spec);
void read_pre_tokenizer(const Node& top, BpeSpec& spec);
void read_decoder(const Node& top, BpeSpec& spec);
/// Accepts what adds control tokens at the ends (templates write them here); a BOS that no
/// tokenizer_config.json names is taken from it.
void read_post_processor(const Node& top, BpeSpec& spec);

}  // namespace seawall::tokenizer_json
