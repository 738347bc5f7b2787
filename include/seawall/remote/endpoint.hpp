#pragma once
// Where requests go, and the key they carry: https or this machine, the key from the environment
// alone.
#include <string>
#include <string_view>

namespace seawall {

/// A checked base URL with the key that belongs to it. The key is never printed, stored or quoted.
class Endpoint {
 public:
  /// Errors: UsageError for a URL that is neither https nor http on this machine, or holds a user
  /// name or query; for a key with characters that no header may have.
  explicit Endpoint(std::string_view base_url, std::string key = "");
  /// `base_url`, else $OPENAI_BASE_URL, else OpenAI's own; the key is $SEAWALL_API_KEY, else
  /// $OPENAI_API_KEY. Errors: as above; UsageError where `needs_key`, the endpoint is not on this
  /// machine and there is no key.
  static Endpoint from_environment(std::string_view base_url, bool needs_key = true);

  const std::string& url() const { return url_; }  // no slash at its end
  /// True for 127.0.0.0/8, ::1 and localhost: no proxy, and plain http is allowed.
  bool loopback() const { return loopback_; }
  bool has_key() const { return !key_.empty(); }
  /// `text` without the key, should a server have echoed it.
  std::string scrub(std::string text) const;

 private:
  friend class HttpClient;
  std::string url_, key_;
  bool loopback_ = false;
};

}  // namespace seawall
