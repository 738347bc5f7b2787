#include "model/safetensors_header.hpp"

#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

constexpr std::uint64_t max_header = 100'000'000;
constexpr std::size_t max_name = 1024, max_dimensions = 8;

/// Builds the entries from parser events: a DOM would hide duplicate names and cost many times the
/// header's size.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderEvents(const std::string& where) : where_(where) {}
  std::vector<SafetensorsEntry> take() { return std::move(entries_); }

  bool start_object(std::size_t) override {
    if (++depth_ == 1) return true;
    if (depth_ == 2 && !in_metadata_) {
      entries_.push_back({.name = key_, .type = {}, .shape = {}});
      fields_ = 0;
      return true;
    }
    return depth_ == 2 ? true : fail("an object where none belongs");
  }
  bool end_object() override {
    if (depth_-- == 2 && !in_metadata_ && fields_ != all_fields) {
      return fail("want dtype, shape and data_offsets");
    }
    return true;
  }
  bool key(std::string& name) override {
    if (depth_ == 1) return top_level_name(name);
    if (in_metadata_) return true;
    const auto bit = name == "dtype" ? 1 : name == "shape" ? 2 : name == "data_offsets" ? 4 : 0;
    if (bit == 0) return fail("an unknown field");
    if (fields_ & bit) return fail("field '" + name + "' twice");
    fields_ |= bit;
    field_ = bit;
    return true;
  }
  bool string(std::string& text) override {
    if (depth_ != 2 || in_array_) return fail("a text where none belongs");
    if (in_metadata_) return true;
    if (field_ != 1) return fail("a text where numbers are wanted");
    if (text.size() > 16) return fail("an unknown dtype");
    entries_.back().type = text;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || field_ == 1) {
      return fail("an array where none belongs");
    }
    in_array_ = true;
    offsets_ = 0;
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return field_ == 4 && offsets_ != 2 ? fail("want two data_offsets") : true;
  }
  bool number_unsigned(std::uint64_t value) override {
    if (!in_array_) return fail("a number where none belongs");
    auto& entry = entries_.back();
    if (field_ == 2) {
      if (entry.shape.size() == max_dimensions) return fail("more than 8 dimensions");
      if (value > INT64_MAX) return fail("a dimension that is too large");
      entry.shape.push_back(value);
      return true;
    }
    if (offsets_ == 2) return fail("want two data_offsets");
    (offsets_++ == 0 ? entry.begin : entry.end) = value;
    return true;
  }
  bool null() override { return fail("null where it does not belong"); }
  bool boolean(bool) override { return fail("true or false where it does not belong"); }
  bool number_integer(std::int64_t) override { return fail("a negative number"); }
  bool number_float(double, const std::string&) override { return fail("a fraction"); }
  bool binary(nlohmann::json::binary_t&) override { return fail("binary data"); }
  bool parse_error(std::size_t byte, const std::string&,
                   const nlohmann::json::exception&) override {
    throw DataError(where_ + ": the header is not valid JSON at byte " + std::to_string(8 + byte));
  }

 private:
  static constexpr int all_fields = 7;

  bool top_level_name(const std::string& name) {
    if (name.size() > max_name) return fail("a name longer than 1024 bytes");
    key_ = name;
    if (!names_.insert(name).second) return fail("the name is there twice");
    in_metadata_ = name == "__metadata__";
    field_ = 0;
    return true;
  }
  bool fail(const std::string& what) const {
    throw DataError(where_ + ": header" + (key_.empty() ? "" : ", entry '" + shown(key_) + "'") +
                    ": " + what);
  }

  const std::string& where_;
  std::vector<SafetensorsEntry> entries_;
  std::unordered_set<std::string> names_;
  std::string key_;
  int depth_ = 0, fields_ = 0, field_ = 0, offsets_ = 0;
  bool in_metadata_ = false, in_array_ = false;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view file, const std::string& where) {
  if (file.size() < 8) {
    throw DataError(where + ": want at least 8 bytes of safetensors, found " +
                    std::to_string(file.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > max_header || length > file.size() - 8) {
    throw DataError(where + ": byte 0: header length " + std::to_string(length) +
                    " is more than the file (" + std::to_string(file.size()) +
                    " bytes) or the format (100000000) allows: not safetensors, or cut short");
  }
  const auto text = file.substr(8, length);
  HeaderEvents events(where);
  if (text.empty() || text.front() != '{') {
    throw DataError(where + ": byte 8: the header does not start with '{'");
  }
  nlohmann::json::sax_parse(text.begin(), text.end(), &events);
  return {.entries = events.take(), .data_start = 8 + length};
}

}  // namespace seawall
