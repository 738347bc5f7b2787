#include "seawall/remote/fine_tuning.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "remote/endpoint_error.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/remote/chat.hpp"

namespace seawall {
namespace {

constexpr int rounds = 3;          // of making what may be there already
constexpr int most_pages = 100;    // of a list
constexpr double file_wait = 600;  // seconds that a file may take to be processed

std::string text_at(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

/// An id goes into paths, so it may hold nothing but what such ids are made of.
bool fits_a_path(const std::string& id) {
  return !id.empty() && id.size() <= 200 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_';
  });
}

std::string id_at(const nlohmann::json& json, const char* what) {
  std::string id = json.is_object() ? text_at(json, "id") : "";
  if (!fits_a_path(id))
    throw DataError(std::string(what) + ": the endpoint's answer has no usable `id`");
  return id;
}

/// In lower case.
std::string status_at(const nlohmann::json& json) {
  std::string status = json.is_object() ? text_at(json, "status") : "";
  for (char& c : status)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return status;
}

bool is_one_of(const std::string& word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The words of OpenAI for those of other providers; what is neither has not ended.
std::string job_status(const std::string& status) {
  if (is_one_of(status, {"success", "completed", "complete"})) return "succeeded";
  if (is_one_of(status, {"error", "user_error", "expired", "timeout_exceeded"})) return "failed";
  return status == "canceled" ? "cancelled" : status;
}

TuningJob job_of(const nlohmann::json& json) {
  TuningJob job;
  job.id = id_at(json, "fine-tuning job");
  job.status = job_status(status_at(json));
  if (job.status.empty())
    throw DataError("fine-tuning job " + job.id + ": the endpoint's answer has no `status`");
  job.model = text_at(json, "fine_tuned_model");
  if (const auto error = json.find("error"); error != json.end() && error->is_object())
    job.error = error_message(nlohmann::json{{"error", *error}}.dump());
  if (const auto tokens = json.find("trained_tokens");
      tokens != json.end() && tokens->is_number_unsigned())
    job.trained_tokens = static_cast<std::int64_t>(
        std::min<std::uint64_t>(tokens->get<std::uint64_t>(), std::uint64_t{1} << 50));
  return job;
}

/// The `data` of a list, and whether there is more behind it.
nlohmann::json list_of(const std::string& body, const char* what, bool& more) {
  auto json = parse_json(body, what);
  more = json.is_object() && json.contains("has_more") && json["has_more"] == true;
  if (!json.is_object() || !json.contains("data") || !json["data"].is_array())
    throw DataError(std::string(what) + ": the endpoint's answer has no list `data`");
  return json["data"];
}

/// Wrong where `parse` throws: such an answer is asked for again. An error that the body reports is
/// quoted.
template <class Parse>
auto wrong_unless(Parse parse) {
  return [parse](const std::string& body) -> std::string {
    try {
      parse(body);
      return "";
    } catch (const DataError& e) {
      const auto error = endpoint_error(body);
      return error ? "the endpoint reports an error: " + error.text() : e.what();
    }
  };
}

/// A refusal of a job because its file is not there yet.
bool is_of_a_waiting_file(const std::string& message) {
  const auto says = [&](const char* part) { return message.find(part) != std::string::npos; };
  return says("not ready") || says("being processed") || says("still processing") ||
         says("not been processed") || says("not processed") || says("not yet processed");
}

}  // namespace

TuningJob parse_job(const std::string& body) { return job_of(parse_json(body, "fine-tuning job")); }

TuningFile parse_file(const std::string& body) {
  const auto json = parse_json(body, "uploaded file");
  TuningFile file{.id = id_at(json, "uploaded file"), .status = status_at(json), .error = {}};
  if (json.contains("status_details"))
    file.error = error_message(nlohmann::json{{"error", json["status_details"]}}.dump());
  if (file.error.empty() && json.contains("error"))
    file.error = error_message(nlohmann::json{{"error", json["error"]}}.dump());
  return file;
}

bool TuningFile::waits() const {
  return is_one_of(status, {"uploaded", "uploading", "pending", "processing", "running", "queued",
                            "notrunning", "validating", "created"});
}

bool TuningFile::failed() const {
  return is_one_of(status, {"error", "failed", "cancelled", "canceled", "deleted", "invalid"});
}

std::vector<TuningEvent> parse_events(const std::string& body, bool& more) {
  std::vector<TuningEvent> out;
  for (const auto& json : list_of(body, "fine-tuning events", more)) {
    if (!json.is_object()) continue;
    TuningEvent event{
        .id = text_at(json, "id"),
        .message = error_message(nlohmann::json{{"error", text_at(json, "message")}}.dump())};
    if (const auto data = json.find("data"); data != json.end() && data->is_object()) {
      const auto step = data->find("step"), loss = data->find("train_loss");
      if (step != data->end() && step->is_number_unsigned() && loss != data->end() &&
          loss->is_number() && step->get<std::uint64_t>() < (std::uint64_t{1} << 40)) {
        event.step = step->get<std::int64_t>();
        event.loss = loss->get<double>();
      }
    }
    if (fits_a_path(event.id)) out.push_back(std::move(event));
  }
  return out;
}

HttpAnswer FineTuning::ask(const HttpRequest& request, const std::string& what) {
  HttpAnswer answer = client_.ask(request);
  if (!answer.ok()) fail(answer, what);
  return answer;
}

void FineTuning::fail(const HttpAnswer& answer, const std::string& what) const {
  const std::string says = client_.endpoint().url() + ": " + what + ": " + answer.error;
  if (answer.hopeless())
    throw UsageError(says + "; check the key, --base-url and the model's name");
  if (answer.refused()) throw DataError(says);
  throw IoError(says + "; give --resume to go on from here");
}

std::string FineTuning::upload(const std::string& name, const std::string& jsonl) {
  const auto id_of = [](const std::string& body) { return parse_file(body).id; };
  const HttpRequest request{.method = "POST",
                            .path = "/files",
                            .body = jsonl,
                            .file_name = name,
                            .purpose = "fine-tune",
                            .repeatable = false,
                            .wrong = wrong_unless(id_of)};
  for (int round = 1;; ++round) {
    try {
      const TuningFile file = parse_file(ask(request, "upload of the rows").body);
      check_file(file);
      return file.id;
    } catch (const IoError&) {
      bool more = false;
      const auto listed =
          ask({.path = "/files?purpose=fine-tune", .wrong = wrong_unless([](const auto& body) {
                                                     bool ignored = false;
                                                     list_of(body, "files", ignored);
                                                   })},
              "list of files");
      for (const auto& file : list_of(listed.body, "files", more))
        if (file.is_object() && text_at(file, "filename") == name) return id_at(file, "file");
      if (round == rounds) throw;
      client_.wait(0.5 * round);
    }
  }
}

TuningJob FineTuning::find(const std::string& file_id) {
  std::string after;
  for (int page = 0; page < most_pages; ++page) {
    bool more = false;
    const auto answer = ask({.path = "/fine_tuning/jobs?limit=100" + after,
                             .wrong = wrong_unless([](const auto& body) {
                               bool ignored = false;
                               list_of(body, "fine-tuning jobs", ignored);
                             })},
                            "list of fine-tuning jobs");
    const auto jobs = list_of(answer.body, "fine-tuning jobs", more);
    for (const auto& job : jobs)
      if (job.is_object() && text_at(job, "training_file") == file_id) return job_of(job);
    if (!more || jobs.empty()) break;
    after = "&after=" + id_at(jobs.back(), "fine-tuning job");
  }
  return {};
}

void FineTuning::check_file(const TuningFile& file) const {
  if (!file.failed()) return;
  throw DataError(client_.endpoint().url() + ": file " + file.id + ": status " + file.status +
                  (file.error.empty() ? "" : ": " + file.error) +
                  "; mend the rows and start again with --overwrite");
}

void FineTuning::await_file(const std::string& file_id, double poll,
                            const std::function<void(const std::string&)>& say) {
  std::string said;
  for (double waited = 0;; waited += poll) {
    const HttpAnswer answer = client_.ask({.path = "/files/" + file_id});
    if (answer.status >= 400 && answer.status < 500 && answer.status != 401) return;
    if (!answer.ok())
      throw IoError(client_.endpoint().url() + ": file " + file_id + ": " + answer.error +
                    "; give --resume to go on from here");
    TuningFile file;
    try {
      file = parse_file(answer.body);
    } catch (const DataError&) {
      return;
    }
    check_file(file);
    if (!file.waits() || waited >= file_wait) return;
    if (file.status != said) say("file         " + file_id + " is " + file.status);
    said = file.status;
    client_.wait(poll);
  }
}

TuningJob FineTuning::create(const std::string& file_id, const TuningOptions& options,
                             double poll) {
  nlohmann::json chosen = nlohmann::json::object();
  if (options.epochs > 0) chosen["n_epochs"] = options.epochs;
  if (options.batch_size > 0) chosen["batch_size"] = options.batch_size;
  if (options.lr_multiplier > 0) chosen["learning_rate_multiplier"] = options.lr_multiplier;
  nlohmann::json body{
      {"model", options.model}, {"training_file", file_id}, {"hyperparameters", chosen}};
  if (options.seed > 0) body["seed"] = options.seed;
  if (!options.suffix.empty()) body["suffix"] = options.suffix;
  const HttpRequest request{.method = "POST",
                            .path = "/fine_tuning/jobs",
                            .body = json_text(body),
                            .repeatable = false,
                            .wrong = wrong_unless(parse_job)};
  double waited = 0;
  for (int round = 1;; ++round) {
    try {
      return parse_job(ask(request, "fine-tuning job").body);
    } catch (const DataError& e) {
      if (!is_of_a_waiting_file(e.what()) || waited >= file_wait) throw;
      client_.wait(poll);
      waited += poll;
      --round;
    } catch (const IoError&) {
      if (TuningJob made = find(file_id); !made.id.empty()) return made;
      if (round == rounds) throw;
      client_.wait(0.5 * round);
    }
  }
}

TuningJob FineTuning::look(const std::string& id) {
  return parse_job(
      ask({.path = "/fine_tuning/jobs/" + id, .wrong = wrong_unless(parse_job)}, "job " + id).body);
}

TuningJob FineTuning::cancel(const std::string& id) {
  return parse_job(ask({.method = "POST",
                        .path = "/fine_tuning/jobs/" + id + "/cancel",
                        .wrong = wrong_unless(parse_job)},
                       "cancelling job " + id)
                       .body);
}

std::vector<TuningEvent> FineTuning::events(const std::string& id, std::set<std::string>& seen) {
  std::vector<TuningEvent> fresh;
  std::string after;
  bool more = true;
  for (int page = 0; more && page < most_pages; ++page) {
    const HttpRequest request{.path = "/fine_tuning/jobs/" + id + "/events?limit=50" + after,
                              .wrong = wrong_unless([](const auto& body) {
                                bool ignored = false;
                                parse_events(body, ignored);
                              })};
    const HttpAnswer answer = client_.ask(request);
    if (answer.status == 404 || answer.status == 405) break;  // a provider without events
    if (!answer.ok()) fail(answer, "events of job " + id);
    auto events = parse_events(answer.body, more);
    if (events.empty()) break;
    after = "&after=" + events.back().id;
    for (auto& event : events) {
      if (!seen.insert(event.id).second)
        more = false;  // what is older was seen before
      else
        fresh.push_back(std::move(event));
    }
  }
  std::reverse(fresh.begin(), fresh.end());
  return fresh;
}

}  // namespace seawall
