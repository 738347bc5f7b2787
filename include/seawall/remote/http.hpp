#pragma once
// Requests over libcurl: several at once, tried again with patience, bounded in time and size.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "seawall/remote/endpoint.hpp"

namespace seawall {

/// Units: seconds, bytes.
struct HttpOptions {
  std::int64_t concurrency = 8;
  std::int64_t tries = 3;  // the first one counts
  double timeout = 30;     // a try
  double backoff = 0.5;    // before the second try; doubled each time, less up to half by chance
  double longest_wait = 120;
  std::size_t largest_answer = std::size_t{1} << 20;
  std::uint64_t seed = 0;  // of the jitter
  /// Asked about five times a second and before every wait; what it throws ends all transfers.
  std::function<void()> poll;
};

struct HttpRequest {
  std::string method = "GET";
  std::string path;       // behind the endpoint's URL, with its slash
  std::string body;       // JSON, or the file where `file_name` is there
  std::string file_name;  // sends multipart/form-data: `purpose`, and `body` as a file
  std::string purpose;
  std::int64_t tries = 0;  // 0: as the client's
  /// False: asking twice does more than asking once. Then it is tried again only where the server
  /// surely did nothing: a 429, or no connection.
  bool repeatable = true;
  /// What is wrong with the body of a good answer, or nothing. A page (its first letter is <) comes
  /// from a proxy and is tried again; another body may have been paid for, and is tried again once.
  std::function<std::string(const std::string& body)> wrong;
  /// A passing error that the body of a good answer reports, or nothing; tried again as a 5xx is.
  std::function<std::string(const std::string& body)> failed;
};

struct HttpAnswer {
  long status = 0;  // 0: none came
  std::string body;
  std::string error;  // one line, where the request did not succeed
  std::int64_t tries = 0;
  std::int64_t lost = 0;  // tries that the server may have worked on without our seeing the result
  bool unreadable = false;  // a good status and a body that is not what was wanted
  bool page = false;        // the body is a page of a proxy, not the server's own
  bool ok() const { return error.empty(); }
  /// The endpoint does not let us in, has no such thing, or wants money first: no other request
  /// will fare better.
  bool hopeless() const;
  /// The endpoint refuses this very request: asking again gives the same.
  bool refused() const {
    return status >= 400 && status < 500 && status != 408 && status != 409 && status != 425 &&
           status != 429;
  }
};

/// One endpoint. Calls come from one thread.
class HttpClient {
 public:
  HttpClient(Endpoint endpoint, HttpOptions options);

  HttpAnswer ask(const HttpRequest& request);

  /// Asks before a request is first sent; false keeps it, and those behind it, back until one that
  /// is under way has ended.
  using Gate = std::function<bool(std::size_t)>;
  using Done = std::function<void(std::size_t, HttpAnswer)>;
  /// Sends `requests` in order, `concurrency` at once; `done` is called in the order in which they
  /// end. Returns how many ended: fewer than all where the gate stayed shut. What `done`, the gate
  /// or the poll throws ends the others.
  std::size_t ask_all(const std::vector<HttpRequest>& requests, const Done& done,
                      const Gate& may_start = nullptr);

  /// Waits as the poll allows.
  void wait(double seconds) const;
  const Endpoint& endpoint() const { return endpoint_; }
  std::int64_t sent() const { return sent_; }          // tries, all told
  std::int64_t repeated() const { return repeated_; }  // those that were not the first

 private:
  class Round;
  Endpoint endpoint_;
  HttpOptions options_;
  std::int64_t sent_ = 0, repeated_ = 0, rounds_ = 0;
};

/// Seconds of a Retry-After header (a number, or a date read against `now`, seconds since 1970);
/// negative where it is neither.
double retry_after_seconds(const std::string& value, double now);
/// Seconds before try number `tried + 1`: `backoff` doubled with each try, less a share `chance`
/// (0..1) of its half, at least what the server asked for, at most `longest_wait`.
double wait_before_retry(const HttpOptions& options, std::int64_t tried, double chance,
                         double asked_for);

}  // namespace seawall
