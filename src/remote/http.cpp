#include "seawall/remote/http.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

#include "remote/endpoint_error.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/core/text.hpp"
#include "seawall/core/version.hpp"

namespace seawall {
namespace {

using Clock = std::chrono::steady_clock;

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK)
    throw Error(ExitCode::internal, std::string("libcurl: ") + curl_easy_strerror(started));
}

/// A socket for plain http: opened only towards this machine, whatever a name resolves to.
curl_socket_t open_local(void*, curlsocktype, curl_sockaddr* to) {
  bool local = false;
  if (to->family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &to->addr, sizeof v4);
    local = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  } else if (to->family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &to->addr, sizeof v6);
    local = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  }
  return local ? ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol) : CURL_SOCKET_BAD;
}

/// Errors after which the same request may well succeed.
bool is_passing(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

/// The request had left us, and nobody knows what became of it.
bool is_lost(CURLcode code) {
  return is_passing(code) && code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_COULDNT_CONNECT;
}

}  // namespace

bool HttpAnswer::hopeless() const {
  if (status == 403) return !endpoint_error(body).about_content();
  if (status == 429) return endpoint_error(body).about_quota();
  return status == 401 || status == 402 || status == 404 || status == 405;
}

double retry_after_seconds(const std::string& value, double now) {
  char* end = nullptr;
  const double seconds = std::strtod(value.c_str(), &end);
  if (end != value.c_str() && std::string_view(end).find_first_not_of(" \r\n") == std::string::npos)
    return std::isfinite(seconds) ? seconds : -1;
  const time_t date = curl_getdate(value.c_str(), nullptr);
  return date < 0 ? -1 : std::max(0.0, static_cast<double>(date) - now);
}

double wait_before_retry(const HttpOptions& options, std::int64_t tried, double chance,
                         double asked_for) {
  const double doubled =
      options.backoff * std::ldexp(1.0, static_cast<int>(std::min<std::int64_t>(tried - 1, 30)));
  return std::min(options.longest_wait, std::max(doubled * (1 - chance / 2), asked_for));
}

/// The requests of one ask_all, under way.
class HttpClient::Round {
 public:
  Round(HttpClient& client, const std::vector<HttpRequest>& requests, const Done& done,
        const Gate& may_start)
      : client_(client),
        requests_(requests),
        done_(done),
        may_start_(may_start),
        rng_(Rng(client.options_.seed).stream("retry/" + std::to_string(client.rounds_++))),
        jobs_(requests.size()),
        multi_(curl_multi_init(), curl_multi_cleanup) {}
  ~Round() {
    for (auto& job : jobs_) release(job);
  }
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  std::size_t run() {
    while (ended_ < jobs_.size()) {
      if (client_.options_.poll) client_.options_.poll();
      const bool shut = start_those_due();
      if (active_ == 0 && waiting_ == 0 && shut) break;
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      take_results();
      if (ended_ == jobs_.size()) break;
      curl_multi_poll(multi_.get(), nullptr, 0, next_look(), nullptr);
    }
    return ended_;
  }

 private:
  enum class State { fresh, active, waiting, ended };
  struct Job {
    State state = State::fresh;
    Clock::time_point due;
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    curl_mime* form = nullptr;
    HttpAnswer answer;
    bool too_large = false;
    double retry_after = -1;
    std::size_t largest = 0;
  };

  void release(Job& job) {
    if (job.easy != nullptr) {
      curl_multi_remove_handle(multi_.get(), job.easy);
      curl_easy_cleanup(job.easy);
    }
    curl_slist_free_all(job.headers);
    curl_mime_free(job.form);
    job.easy = nullptr, job.headers = nullptr, job.form = nullptr;
  }

  static std::size_t take_body(char* data, std::size_t, std::size_t size, void* user) {
    auto& job = *static_cast<Job*>(user);
    if (job.answer.body.size() + size > job.largest) {
      job.too_large = true;
      return 0;  // ends the transfer
    }
    job.answer.body.append(data, size);
    return size;
  }

  static std::size_t take_header(char* data, std::size_t, std::size_t size, void* user) {
    std::string line(data, size), name = line.substr(0, line.find(':'));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name == "retry-after" && name.size() < line.size())
      static_cast<Job*>(user)->retry_after = retry_after_seconds(
          line.substr(name.size() + 1), static_cast<double>(std::time(nullptr)));
    return size;
  }

  void start(std::size_t i) {
    Job& job = jobs_[i];
    const HttpRequest& request = requests_[i];
    const HttpOptions& options = client_.options_;
    const Endpoint& endpoint = client_.endpoint_;
    job.state = State::active;
    job.answer.body.clear();
    job.answer.status = 0;
    job.too_large = false;
    job.retry_after = -1;
    job.largest = options.largest_answer;
    job.easy = curl_easy_init();
    const auto set = [&](auto option, auto value) { curl_easy_setopt(job.easy, option, value); };
    set(CURLOPT_URL, (endpoint.url() + request.path).c_str());
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_PROTOCOLS_STR, endpoint.loopback() ? "http,https" : "https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, std::max(1L, static_cast<long>(options.timeout * 1000)));
    set(CURLOPT_USERAGENT, ("seawall/" + std::string(program_version)).c_str());
    if (endpoint.loopback()) {
      set(CURLOPT_PROXY, "");
      set(CURLOPT_OPENSOCKETFUNCTION, &open_local);
    }
    if (!endpoint.key_.empty())
      job.headers =
          curl_slist_append(job.headers, ("Authorization: Bearer " + endpoint.key_).c_str());
    if (!request.file_name.empty()) {
      job.form = curl_mime_init(job.easy);
      curl_mimepart* part = curl_mime_addpart(job.form);
      curl_mime_name(part, "purpose");
      curl_mime_data(part, request.purpose.c_str(), CURL_ZERO_TERMINATED);
      part = curl_mime_addpart(job.form);
      curl_mime_name(part, "file");
      curl_mime_filename(part, request.file_name.c_str());
      curl_mime_data(part, request.body.data(), request.body.size());
      set(CURLOPT_MIMEPOST, job.form);
    } else if (request.method != "GET") {
      job.headers = curl_slist_append(job.headers, "Content-Type: application/json");
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.data());  // lives as long as the request
    }
    // A server that does not know it would make us wait a second for its answer.
    job.headers = curl_slist_append(job.headers, "Expect:");
    set(CURLOPT_HTTPHEADER, job.headers);
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&job));
    set(CURLOPT_HEADERFUNCTION, &take_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&job));
    set(CURLOPT_PRIVATE, static_cast<void*>(&job));
    curl_multi_add_handle(multi_.get(), job.easy);
    ++active_;
    ++client_.sent_;
    if (++job.answer.tries > 1) ++client_.repeated_;
  }

  /// True where the gate keeps a request back.
  bool start_those_due() {
    const auto now = Clock::now();
    for (std::size_t i = 0; i < jobs_.size() && active_ < client_.options_.concurrency; ++i) {
      Job& job = jobs_[i];
      if (job.state == State::waiting && job.due <= now) {
        --waiting_;
        start(i);
      } else if (job.state == State::fresh) {
        if (may_start_ && !may_start_(i)) return true;
        start(i);
      }
    }
    return false;
  }

  void take_results() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      char* user = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
      Job& job = *reinterpret_cast<Job*>(user);
      if (code == CURLE_OK)
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &job.answer.status);
      release(job);
      --active_;
      finish_try(static_cast<std::size_t>(&job - jobs_.data()), code);
    }
  }

  /// A status after which the same request may well succeed.
  static bool may_pass(const HttpAnswer& answer) {
    const long status = answer.status;
    return status == 408 || status == 409 || status == 425 || status >= 500 ||
           (status == 429 && !answer.hopeless());
  }

  /// Writes down what is wrong with the body of a good answer. True if it may be asked for again.
  static bool is_wrong(const HttpRequest& request, HttpAnswer& answer) {
    answer.error = request.wrong(answer.body);
    if (answer.error.empty()) return false;
    const auto begin = answer.body.find_first_not_of(" \t\r\n");
    answer.unreadable = true;
    answer.page = begin != std::string::npos && answer.body[begin] == '<';
    answer.error += begin == std::string::npos
                        ? "; it is empty"
                        : "; it begins with '" + shown(answer.body.substr(begin), 80) + "'";
    answer.lost += !answer.page;
    return answer.page || answer.tries < 2;
  }

  void finish_try(std::size_t i, CURLcode code) {
    Job& job = jobs_[i];
    HttpAnswer& answer = job.answer;
    const HttpOptions& options = client_.options_;
    answer.body = client_.endpoint_.scrub(std::move(answer.body));
    bool again = false;
    answer.error.clear();
    answer.unreadable = answer.page = false;
    if (job.too_large) {
      answer.error =
          "the answer is larger than " + std::to_string(options.largest_answer >> 10) + " KiB";
      ++answer.lost;
    } else if (code != CURLE_OK) {
      again = is_passing(code);
      answer.lost += is_lost(code);
      answer.error =
          code == CURLE_OPERATION_TIMEDOUT ? "no answer in time" : curl_easy_strerror(code);
    } else if (answer.status < 200 || answer.status > 299) {
      again = may_pass(answer);
      answer.error = "HTTP " + std::to_string(answer.status);
      if (const auto said = error_message(answer.body); !said.empty()) answer.error += ": " + said;
    } else {
      if (requests_[i].failed) answer.error = requests_[i].failed(answer.body);
      again = !answer.error.empty();
      if (!again && requests_[i].wrong) again = is_wrong(requests_[i], answer);
    }
    if (!requests_[i].repeatable && answer.status != 429 && !(code != CURLE_OK && !is_lost(code)))
      again = false;
    const auto tries = requests_[i].tries > 0 ? requests_[i].tries : options.tries;
    if (again && job.retry_after > options.longest_wait) {
      again = false;
      answer.error += " (asks to wait " + std::to_string(std::llround(job.retry_after)) + " s)";
    }
    if (again && answer.tries < tries) {
      const double seconds =
          wait_before_retry(options, answer.tries, rng_.uniform(), job.retry_after);
      job.due = Clock::now() +
                std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
      job.state = State::waiting;
      ++waiting_;
      return;
    }
    if (!answer.ok() && answer.tries > 1)
      answer.error += ", after " + std::to_string(answer.tries) + " tries";
    job.state = State::ended;
    ++ended_;
    done_(i, std::move(answer));
  }

  /// Milliseconds until something is due, at most 200.
  int next_look() const {
    auto wait = std::chrono::milliseconds(200);
    const auto now = Clock::now();
    for (const auto& job : jobs_)
      if (job.state == State::waiting)
        wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(
                                  std::max(job.due - now, Clock::duration::zero())));
    return static_cast<int>(wait.count());
  }

  HttpClient& client_;
  const std::vector<HttpRequest>& requests_;
  const Done& done_;
  const Gate& may_start_;
  Rng rng_;
  std::vector<Job> jobs_;
  std::unique_ptr<CURLM, CURLMcode (*)(CURLM*)> multi_;
  std::int64_t active_ = 0, waiting_ = 0;
  std::size_t ended_ = 0;
};

HttpClient::HttpClient(Endpoint endpoint, HttpOptions options)
    : endpoint_(std::move(endpoint)), options_(std::move(options)) {
  start_curl();
}

std::size_t HttpClient::ask_all(const std::vector<HttpRequest>& requests, const Done& done,
                                const Gate& may_start) {
  return Round(*this, requests, done, may_start).run();
}

HttpAnswer HttpClient::ask(const HttpRequest& request) {
  HttpAnswer out;
  ask_all({request}, [&](std::size_t, HttpAnswer answer) { out = std::move(answer); });
  return out;
}

void HttpClient::wait(double seconds) const {
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(seconds));
  while (true) {
    if (options_.poll) options_.poll();
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(until - Clock::now());
    if (left.count() <= 0) return;
    ::usleep(static_cast<useconds_t>(std::min<std::int64_t>(left.count(), 200'000)));
  }
}

}  // namespace seawall
