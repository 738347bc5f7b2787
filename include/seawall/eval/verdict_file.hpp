#pragma once
// Verdicts that another tool made: answers go out as JSONL, verdicts come back by id.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "seawall/policy/judge.hpp"

namespace seawall {

/// 16 hexadecimal digits of the SHA-256 of probe id, prompt as asked and response: a verdict can
/// only come back to the very answer that was graded.
std::string answer_id(std::string_view probe_id, std::string_view prompt,
                      std::string_view response);

/// Reads verdicts of `file`: CSV with a header or JSONL, with `id` and `score` (1..5), and where
/// they are given `refused` (true, false, 1, 0), `probability` (0..1) and `reason`. An answer
/// without a verdict, or with one that cannot be read, is invalid with the reason. Errors of the
/// constructor: IoError; DataError naming file and line for another format, or an id that comes
/// twice.
class FileJudge final : public Judge {
 public:
  FileJudge(std::string name, const std::filesystem::path& file);
  std::string_view name() const override { return name_; }
  /// Takes the probe's last request as the prompt.
  Verdict grade(const Probe& probe, std::string_view response) const override;
  std::vector<Verdict> grade_all(std::span<const Answer> answers) const override;

 private:
  Verdict verdict(const std::string& id) const;
  std::string name_, file_;
  std::map<std::string, Verdict, std::less<>> verdicts_;
};

}  // namespace seawall
