#include "remote/endpoint_error.hpp"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>

namespace seawall {
namespace {

using nlohmann::json;

constexpr std::size_t longest_message = 300;

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  if (text.size() > longest_message) {
    text.resize(longest_message);
    while (!text.empty() && (text.back() & 0xC0) == 0x80) text.pop_back();
    if (!text.empty() && (text.back() & 0x80) != 0) text.pop_back();
    text += "...";
  }
  return text;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

bool has_any(const std::string& text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

/// Text as it is, a number as its digits, anything else as nothing.
std::string scalar(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  return found->is_number() ? found->dump() : "";
}

/// `detail` as FastAPI servers write it: a text, or a list of places and what is wrong there.
std::string detail_text(const json& detail) {
  if (detail.is_string()) return detail.get<std::string>();
  if (detail.is_object()) return detail.contains("detail") ? detail_text(detail["detail"]) : "";
  std::string out;
  if (!detail.is_array()) return out;
  for (const auto& item : detail) {
    if (!item.is_object()) continue;
    std::string place;
    if (const auto loc = item.find("loc"); loc != item.end() && loc->is_array() && !loc->empty())
      place = loc->back().is_string() ? loc->back().get<std::string>() + ": " : "";
    out += (out.empty() ? "" : "; ") + place + scalar(item, "msg");
  }
  return out;
}

void read_object(const json& object, EndpointError& out) {
  out.message = scalar(object, "message");
  if (out.message.empty() && object.contains("message"))
    out.message = detail_text(object["message"]);
  out.code = scalar(object, "code");
  out.type = scalar(object, "type");
  if (out.type.empty()) out.type = scalar(object, "status");
  out.param = scalar(object, "param");
  if (const auto inner = object.find("innererror"); inner != object.end())
    out.flagged = has_any(lower(scalar(*inner, "code")), {"responsibleai"});
  const auto about = object.find("metadata");
  if (about == object.end() || !about->is_object()) return;
  out.flagged = out.flagged || about->contains("flagged_input") || about->contains("reasons");
  if (const auto raw = scalar(*about, "raw"); !raw.empty()) out.message += ": " + raw;
}

std::string all_of(const EndpointError& e) {
  return lower(e.code + "\n" + e.type + "\n" + e.message);
}

}  // namespace

EndpointError endpoint_error(const std::string& body) {
  json root = json::parse(body, nullptr, false);
  if (root.is_array() && root.size() == 1) root = json(root.front());
  EndpointError out;
  if (!root.is_object()) return out;
  const auto error = root.find("error");
  const bool reported = error != root.end() && !error->is_null();
  if (reported && error->is_string()) {
    out.message = error->get<std::string>();
  } else if (reported && error->is_object()) {
    read_object(*error, out);
  } else if (!root.contains("choices")) {
    read_object(root, out);
    if (out.message.empty() && root.contains("detail")) out.message = detail_text(root["detail"]);
    if (out.message.empty()) return {};  // a `code` or `type` alone is no error
  }
  out.message = one_line(std::move(out.message));
  return out;
}

std::string error_message(const std::string& body) { return endpoint_error(body).message; }

std::string EndpointError::text() const {
  if (code.empty() || message.find(code) != std::string::npos) return message;
  return one_line(code) + (message.empty() ? "" : ": " + message);
}

bool EndpointError::about_content() const {
  if (has_any(lower(code), {"unsupported_", "model_not_found", "unknown_parameter"})) return false;
  return flagged || has_any(all_of(*this),
                            {"content_filter", "content filter", "content_policy", "content policy",
                             "content management", "responsibleai", "invalid_prompt",
                             "data_inspection", "flagged", "moderation", "safety", "usage polic",
                             "was filtered", "inappropriate", "high risk", "sensitive", "harmful"});
}

bool EndpointError::about_length() const {
  return has_any(all_of(*this),
                 {"context_length", "context length", "context window", "maximum context",
                  "string_above_max", "too long", "input tokens", "prompt tokens"});
}

bool EndpointError::about_quota() const {
  return has_any(all_of(*this), {"insufficient_quota", "billing_hard_limit", "insufficient balance",
                                 "insufficient credits", "exceeded your current quota"});
}

bool EndpointError::passes() const {
  if (about_quota() || about_content()) return false;
  char* end = nullptr;
  const long number = std::strtol(code.c_str(), &end, 10);
  if (!code.empty() && *end == '\0')
    return number == 408 || number == 409 || number == 425 || number == 429 || number >= 500;
  return has_any(all_of(*this), {"rate_limit", "rate limit", "overload", "unavailable", "timeout",
                                 "timed out", "server_error", "internal", "too many requests",
                                 "out of capacity", "temporarily", "try again"});
}

Complaint complaint_of(const EndpointError& error, long status) {
  if (error.about_content() || status == 451) return Complaint::content;
  if (error.about_length() || status == 413) return Complaint::too_long;
  const std::string code = lower(error.code), said = lower(error.message);
  const bool refused =
      code.starts_with("unsupported_") || code == "unknown_parameter" ||
      has_any(said, {"support", "not permitted", "not allowed", "unknown", "unrecognized",
                     "unexpected", "deprecat", "only the default", "does not accept", "extra"});
  const bool of_tokens = error.param == "max_tokens" || has_any(said, {"max_tokens"});
  const bool size = has_any(said, {"too large", "at most", "less than", "greater than", "maximum"});
  if (!size && (has_any(said, {"max_completion_tokens"}) || (of_tokens && refused)))
    return Complaint::token_field;
  const bool out_of_range = has_any(said, {"must be", "positive", "invalid"});
  if (error.param == "temperature" || (has_any(said, {"temperature"}) && (refused || out_of_range)))
    return Complaint::temperature;
  const bool of_row = error.param.empty() || error.param.starts_with("messages") ||
                      error.param.starts_with("prompt") || error.param.starts_with("input");
  if (!of_row || code.starts_with("unsupported_") ||
      has_any(code, {"model_not_found", "unknown_parameter", "missing_required", "invalid_model",
                     "unknown_model", "deploymentnotfound", "invalid_api_key"}) ||
      has_any(said,
              {"unsupported parameter", "unsupported value", "unknown parameter",
               "unrecognized request argument", "extra inputs are not permitted",
               "extra fields not permitted", "not a valid model", "model not found",
               "invalid model", "no such model", "unknown model", "does not exist", "api version"}))
    return Complaint::request;
  return Complaint::unknown;
}

}  // namespace seawall
