#include "seawall/remote/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"

namespace seawall {

Journal::Journal(std::filesystem::path path, const std::string& key) : path_(std::move(path)) {
  std::error_code ignored;
  std::string text;
  if (std::filesystem::exists(path_, ignored)) text = read_file(path_);
  text.resize(text.rfind('\n') + 1);  // npos + 1 is 0: not even the first line is whole
  std::size_t number = 0;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = text.find('\n', from);
    const std::string where = path_.string() + ": line " + std::to_string(++number);
    const auto line = parse_json(std::string_view(text).substr(from, to - from), where);
    try {
      if (number == 1 && line.at("run").get<std::string>() != key)
        throw UsageError(path_.string() +
                         ": belongs to a run with other options, rows, probes or model; give the "
                         "same ones, or --overwrite without --resume");
      take(line);
    } catch (const nlohmann::json::exception&) {
      throw DataError(where +
                      ": not a line of a remote run's journal; give --overwrite to start "
                      "again (and pay again)");
    }
    from = to + 1;
  }
  whole_ = text.size();
  if (text.empty()) {
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    const std::string seed = key + std::to_string(now) + std::to_string(::getpid());
    const nlohmann::json line{{"run", key}, {"nonce", sha256_hex(seed).substr(0, 16)}};
    take(line);
    pending_ = json_text(line) + '\n';
  }
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
}

void Journal::take(const nlohmann::json& line) {
  if (line.contains("run")) nonce_ = line.at("nonce").get<std::string>();
  if (line.contains("file")) file_id_ = line.at("file").get<std::string>();
  if (line.contains("job")) job_id_ = line.at("job").get<std::string>();
  if (line.contains("model")) {
    tuned_model_ = line.at("model").get<std::string>();
    trained_tokens_ = line.at("trained_tokens").get<std::int64_t>();
  }
  if (line.contains("style")) {
    style_.completion_field = line.at("style").at("completion_field").get<bool>();
    style_.temperature = line.at("style").at("temperature").get<bool>();
  }
  if (line.contains("question")) {
    style_.proven = true;
    answers_[line.at("question").get<std::string>()] = {
        .text = line.at("text").get<std::string>(),
        .error = line.at("error").get<std::string>(),
        .finished = line.at("finished").get<bool>(),
        .tokens = line.at("tokens").get<std::int64_t>(),
        .declined = line.value("declined", false)};
  }
  if (line.contains("purpose")) {
    auto& account = accounts_[line.at("purpose").get<std::string>()];
    account.usd += line.at("usd").get<double>();
    account.tokens_in += line.at("tokens_in").get<std::int64_t>();
    account.tokens_out += line.at("tokens_out").get<std::int64_t>();
    account.requests += line.at("requests").get<std::int64_t>();
  }
}

void Journal::put(const nlohmann::json& line, bool flush) {
  if (file_ < 0) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    // What a kill left of a line goes.
    if (file_ < 0 || ::ftruncate(file_, static_cast<off_t>(whole_)) != 0)
      throw IoError(path_.string() + ": cannot open the journal: " + std::strerror(errno));
  }
  take(line);
  pending_ += json_text(line) + '\n';
  std::string_view left = pending_;
  while (!left.empty()) {
    const auto written = ::write(file_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      throw IoError(path_.string() + ": cannot write the journal: " + std::strerror(errno));
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  pending_.clear();
  if (flush && ::fsync(file_) != 0)
    throw IoError(path_.string() + ": cannot flush the journal: " + std::strerror(errno));
}

const Journal::Answer* Journal::find(const std::string& question) const {
  const auto found = answers_.find(question);
  return found == answers_.end() ? nullptr : &found->second;
}

void Journal::file(const std::string& id) { put({{"file", id}}, true); }
void Journal::job(const std::string& id) { put({{"job", id}}, true); }
void Journal::tuned(const std::string& model, std::int64_t trained_tokens) {
  put({{"model", model}, {"trained_tokens", trained_tokens}}, true);
}

void Journal::answer(const std::string& question, const Answer& answer) {
  nlohmann::json line{{"question", question},
                      {"text", answer.text},
                      {"error", answer.error},
                      {"finished", answer.finished},
                      {"tokens", answer.tokens}};
  if (answer.declined) line["declined"] = true;
  put(line, false);
}

void Journal::style(const ChatStyle& style) {
  put({{"style",
        {{"completion_field", style.completion_field}, {"temperature", style.temperature}}}},
      false);
}

void Journal::charge(const std::string& purpose, const Spending::Account& change, bool now) {
  const nlohmann::json line{{"purpose", purpose},
                            {"usd", change.usd},
                            {"tokens_in", change.tokens_in},
                            {"tokens_out", change.tokens_out},
                            {"requests", change.requests}};
  if (now) return put(line, false);
  take(line);
  pending_ += json_text(line) + '\n';
}

}  // namespace seawall
