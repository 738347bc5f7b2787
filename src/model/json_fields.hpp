#pragma once
// The fields of a model's JSON file, typed, with errors that name the file and the field.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {

/// Typed access to one JSON object, with errors that name the file and the field.
class JsonFields {
 public:
  JsonFields(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) fail("want a JSON object at the top, found " + kind(object_));
  }

  bool has(const char* name) const { return object_.contains(name); }  // null or not
  bool given(const char* name) const { return object_.contains(name) && !object_[name].is_null(); }
  std::int64_t integer(const char* name) const {
    if (!given(name)) fail(std::string(name) + " is missing, want an integer");
    const auto& value = object_[name];
    if (!value.is_number_integer()) {
      fail(std::string(name) + ": want an integer, found " + kind(value));
    }
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
      fail(std::string(name) + ": the number is too large");
    }
    return value.get<std::int64_t>();
  }
  std::int64_t integer(const char* name, std::int64_t fallback) const {
    return given(name) ? integer(name) : fallback;
  }
  double number(const char* name, double fallback) const {
    if (!given(name)) return fallback;
    if (!object_[name].is_number()) {
      fail(std::string(name) + ": want a number, found " + kind(object_[name]));
    }
    return object_[name].get<double>();
  }
  bool flag(const char* name, bool fallback) const {
    if (!given(name)) return fallback;
    if (!object_[name].is_boolean()) {
      fail(std::string(name) + ": want true or false, found " + kind(object_[name]));
    }
    return object_[name].get<bool>();
  }
  std::string text(const char* name, const std::string& fallback) const {
    if (!given(name)) return fallback;
    if (!object_[name].is_string()) {
      fail(std::string(name) + ": want a text, found " + kind(object_[name]));
    }
    return object_[name].get<std::string>();
  }
  const std::string& where() const { return where_; }
  const nlohmann::json& at(const char* name) const { return object_[name]; }
  [[noreturn]] void fail(const std::string& what) const { throw DataError(where_ + ": " + what); }

 private:
  static std::string kind(const nlohmann::json& value) { return value.type_name(); }
  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace seawall
