#pragma once
// What a run did at an endpoint, a line at a time, so that a killed run asks nothing twice.
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "seawall/remote/chat.hpp"
#include "seawall/remote/spending.hpp"

namespace seawall {

/// `NAME.remote.jsonl` next to a run file: appended to, never rewritten; a line cut by a kill is
/// dropped when it is read. Whoever makes one holds the run's lock.
class Journal {
 public:
  /// An answer as it came, or why there is none and never will be.
  struct Answer {
    std::string text, error;
    bool finished = true;
    std::int64_t tokens = 0;
    bool declined = false;  // the endpoint's refusal field answered
  };

  /// Continues the file where there is one; otherwise it is there from the first line on. `key` is
  /// what makes the run. Errors: UsageError where the file belongs to another run; DataError for a
  /// line that is not ours; IoError.
  Journal(std::filesystem::path path, const std::string& key);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// A name that no other run has, the same for as long as this run is continued.
  const std::string& nonce() const { return nonce_; }
  const std::string& file_id() const { return file_id_; }
  const std::string& job_id() const { return job_id_; }
  const std::string& tuned_model() const { return tuned_model_; }
  std::int64_t trained_tokens() const { return trained_tokens_; }
  const Answer* find(const std::string& question) const;
  std::size_t answers() const { return answers_.size(); }
  /// How questions were sent last; proven if any is answered.
  const ChatStyle& style() const { return style_; }
  const std::map<std::string, Spending::Account>& accounts() const { return accounts_; }

  // Each is on the disk before the next request is sent; ids are flushed to it.
  void file(const std::string& id);
  void job(const std::string& id);
  void tuned(const std::string& model, std::int64_t trained_tokens);
  void answer(const std::string& question, const Answer& answer);
  void style(const ChatStyle& style);
  /// Goes to the disk with the next line, or at once where `now`: a charge and what was bought are
  /// one write.
  void charge(const std::string& purpose, const Spending::Account& change, bool now);

 private:
  void take(const nlohmann::json& line);
  void put(const nlohmann::json& line, bool flush);
  std::filesystem::path path_;
  int file_ = -1;          // opened with the first line that is written
  std::size_t whole_ = 0;  // bytes of the lines that were read
  std::string nonce_, file_id_, job_id_, tuned_model_, pending_;
  std::int64_t trained_tokens_ = 0;
  ChatStyle style_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, Spending::Account> accounts_;
};

}  // namespace seawall
