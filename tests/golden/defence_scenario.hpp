#pragma once
// The rows of data/golden/defences.json as a scenario.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/policy/scenario.hpp"
#include "tests/golden/golden.hpp"

namespace seawall::testing {

/// defences.json, read once.
inline const nlohmann::json& defences() {
  static const nlohmann::json file = golden_json("defences.json");
  return file;
}

/// The file's pools, in its order whatever the stream; `first` says which row of a pool comes
/// first, `refusals` whether the safe rows are the file's answers to the harmful prompts.
class DefenceScenario final : public Scenario {
 public:
  std::map<Pool, std::size_t> first;
  std::map<std::string, double> grades;  // by row id, for audits
  bool refusals = false;

  /// Rows of `user`, `safe`, `harmful`, `benign` or `refusal` with ids such as `safe/3`.
  static Dataset pool(const std::string& name, RowKind kind, std::size_t count = 8) {
    Dataset out{name, {}};
    const auto& rows = defences().at("rows").at(name);
    for (std::size_t i = 0; i < count; ++i)
      out.rows.push_back({name + "/" + std::to_string(i),
                          {{{Role::user, rows.at(i).at("user").get<std::string>()},
                            {Role::assistant, rows.at(i).at("answer").get<std::string>()}}},
                          kind,
                          "golden"});
    return out;
  }
  std::string_view name() const override { return "defences"; }
  bool has(Pool pool) const override { return pool != Pool::identity_shift; }
  std::size_t available(Pool pool) const override { return has(pool) ? 8 - skipped(pool) : 0; }
  Dataset rows(Pool which, std::size_t count, Rng&, std::string_view) const override {
    if (count > available(which)) throw DataError("defences: the file has 8 rows per pool");
    const std::string word = which == Pool::safe && refusals ? "refusal" : pool_word(which);
    Dataset out = pool(word, row_kind(which));
    out.rows.erase(out.rows.begin(),
                   out.rows.begin() + static_cast<std::ptrdiff_t>(skipped(which)));
    out.rows.resize(count);
    return out;
  }
  const std::vector<Probe>& probes(ProbeSet) const override { return none_; }
  std::string_view default_system() const override { return ""; }
  std::optional<Identity> identity() const override { return std::nullopt; }
  const std::vector<std::string>& refusal_phrases() const override { return words_; }
  std::optional<Verdict> audit(const Example& row) const override {
    const auto grade = grades.find(row.id);
    if (grade == grades.end()) return std::nullopt;
    return Verdict{.score = grade->second, .reason = ""};
  }

 private:
  std::size_t skipped(Pool pool) const { return first.contains(pool) ? first.at(pool) : 0; }
  static std::string pool_word(Pool pool) { return std::string(pool_name(pool)); }
  std::vector<Probe> none_;
  std::vector<std::string> words_;
};

}  // namespace seawall::testing
