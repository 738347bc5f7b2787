#include "seawall/remote/endpoint.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

constexpr const char* openai_prefix = "https://api.openai.com/v1";

std::string from_env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// One part of a parsed URL; empty where it has none.
std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

/// Four numbers with dots, the first 127: libcurl has made one such of every other way to write it.
bool is_loopback(const std::string& host) {
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos &&
         std::count(host.begin(), host.end(), '.') == 3;
}

}  // namespace

Endpoint::Endpoint(std::string_view base_url, std::string key) : key_(std::move(key)) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  const std::string text(base_url);
  const std::string named = "--base-url " + text;
  // A URL that carries a secret is not repeated.
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
    throw UsageError("--base-url: not a URL; want one such as " + std::string(openai_prefix));
  if (!part_of(url.get(), CURLUPART_USER).empty() ||
      !part_of(url.get(), CURLUPART_PASSWORD).empty() ||
      !part_of(url.get(), CURLUPART_QUERY).empty() ||
      !part_of(url.get(), CURLUPART_FRAGMENT).empty())
    throw UsageError(
        "--base-url: want a URL without user, password, query or fragment; the key comes from "
        "$OPENAI_API_KEY");
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  loopback_ = is_loopback(part_of(url.get(), CURLUPART_HOST));
  if (scheme != "https" && !(scheme == "http" && loopback_))
    throw UsageError(named +
                     ": want https, or http on this machine (127.0.0.1, ::1, localhost): a key and "
                     "prompts must not travel in the clear");
  url_ = part_of(url.get(), CURLUPART_URL);
  while (url_.ends_with('/')) url_.pop_back();
  if (std::any_of(key_.begin(), key_.end(), [](unsigned char c) { return c <= ' ' || c > '~'; }))
    throw UsageError(
        "the key in $SEAWALL_API_KEY or $OPENAI_API_KEY has a space, line end or letter that no "
        "header may have; set it again");
}

Endpoint Endpoint::from_environment(std::string_view base_url, bool needs_key) {
  std::string url(base_url), key = from_env("SEAWALL_API_KEY");
  if (url.empty()) url = from_env("OPENAI_BASE_URL");
  if (url.empty()) url = openai_prefix;
  if (key.empty()) key = from_env("OPENAI_API_KEY");
  Endpoint endpoint(url, std::move(key));
  if (needs_key && !endpoint.loopback() && !endpoint.has_key())
    throw UsageError(endpoint.url() +
                     ": no key; set OPENAI_API_KEY or SEAWALL_API_KEY in the environment");
  return endpoint;
}

std::string Endpoint::scrub(std::string text) const {
  // "none", "EMPTY" and the like are no secrets, and words of answers.
  constexpr std::size_t shortest_secret = 8;
  constexpr std::string_view instead = "[key]";
  if (key_.size() < shortest_secret) return text;
  for (auto at = text.find(key_); at != std::string::npos;
       at = text.find(key_, at + instead.size()))
    text.replace(at, key_.size(), instead);
  return text;
}

}  // namespace seawall
