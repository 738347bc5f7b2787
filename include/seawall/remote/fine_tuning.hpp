#pragma once
// Fine-tuning behind an OpenAI-compatible endpoint: a file, a job, what it says of itself.
// Source: OpenAI API reference, "Files" and "Fine-tuning".
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "seawall/remote/http.hpp"

namespace seawall {

struct TuningJob {
  std::string id, status;
  std::string model;  // what came of it, once it succeeded
  std::string error;  // what the endpoint says of a failure
  std::int64_t trained_tokens = 0;
  bool ended() const {
    return status == "succeeded" || status == "failed" || status == "cancelled";
  }
};

struct TuningEvent {
  std::string id, message;
  std::int64_t step = 0;  // 0 where it reports no step
  double loss = 0;
};

/// An uploaded file. Some providers state no status.
struct TuningFile {
  std::string id, status, error;
  bool waits() const;  // uploaded, being processed
  bool failed() const;
};

/// Zero leaves a choice to the provider.
struct TuningOptions {
  std::string model, suffix;
  std::int64_t epochs = 0, batch_size = 0, seed = 0;
  double lr_multiplier = 0;
};

/// Reads a job, or a page of events (newest first, as they come). Errors: DataError naming what is
/// missing.
TuningJob parse_job(const std::string& body);
TuningFile parse_file(const std::string& body);
std::vector<TuningEvent> parse_events(const std::string& body, bool& more);

/// Borrows the client. Errors of every member: UsageError where the endpoint lets us in to nothing,
/// DataError where it refuses this, IoError where no answer came.
class FineTuning {
 public:
  explicit FineTuning(HttpClient& client) : client_(client) {}

  /// Uploads rows as `name`, which no other file has, and gives the file's id. Where the answer is
  /// lost, the file is looked for before it is sent again.
  std::string upload(const std::string& name, const std::string& jsonl);
  /// Waits until an uploaded file is processed, looking every `poll` seconds; `say` is told of a
  /// file that is not. A provider that does not show files, or whose file keeps waiting, is taken
  /// at its word in `create`. Errors: DataError with the provider's words if processing failed.
  void await_file(const std::string& file_id, double poll,
                  const std::function<void(const std::string&)>& say);
  /// Makes a job on an uploaded file. Where the answer is lost, the job is looked for before
  /// another is made: no file is trained on twice. A refusal because the file is still being
  /// processed is waited out, looking every `poll` seconds.
  TuningJob create(const std::string& file_id, const TuningOptions& options, double poll = 10);
  /// The job of that file, with an empty id where there is none.
  TuningJob find(const std::string& file_id);
  TuningJob look(const std::string& id);
  TuningJob cancel(const std::string& id);
  /// Events that are not in `seen`, oldest first; adds them there.
  std::vector<TuningEvent> events(const std::string& id, std::set<std::string>& seen);

 private:
  HttpAnswer ask(const HttpRequest& request, const std::string& what);
  void check_file(const TuningFile& file) const;
  [[noreturn]] void fail(const HttpAnswer& answer, const std::string& what) const;
  HttpClient& client_;
};

}  // namespace seawall
