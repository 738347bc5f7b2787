#pragma once
// Which sets of prompts a run uses, what each of them is by its content, and how far they overlap.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"

namespace seawall {

/// Case and compatibility folded (NFKC), each run of white space one space, none at the ends: two
/// prompts are the same where these are equal.
std::string folded(const std::string& prompt);

/// Two sets that hold a prompt both. Counts are members of `a` whose prompt is in `b`.
struct SharedPrompts {
  std::string a, b;
  std::size_t count = 0;
  std::string first_a, first_b;  // ids
};

/// The sets of a run, in the order they were added.
class Provenance {
 public:
  struct Set {
    std::string name;
    std::size_t size = 0, repeated = 0;  // members; members whose prompt stood in it before
    std::string sha256;                  // of roles and contents in order
  };

  /// Training rows; every user turn of a row is a prompt of it.
  void add_rows(std::string name, const Dataset& rows);
  /// Training rows as up to four sets by what they are for: `attack` (harmful, identity-shift,
  /// other), `safe`, `benign` and `task-rows`; empty ones are left out.
  void add_rows(const Dataset& rows);
  /// Probes. `armed` holds all of them again, once for each way in which the run puts them, and
  /// counts as well.
  void add_probes(std::string name, const std::vector<Probe>& probes,
                  const std::vector<Dialogue>& armed = {});

  const std::vector<Set>& sets() const { return sets_; }
  /// Members of set i with a prompt that set j holds too. Errors: std::out_of_range.
  std::size_t shared(std::size_t i, std::size_t j) const;
  /// The pairs of different sets with something in common, i before j.
  std::vector<SharedPrompts> overlaps() const;
  /// The matrix, for a person.
  std::string table() const;

 private:
  struct Member {
    std::string id;
    std::vector<std::string> prompts;  // folded
  };
  void add(std::string name, std::string sha256, std::vector<Member> members);
  SharedPrompts compare(std::size_t i, std::size_t j) const;
  std::vector<Set> sets_;
  std::vector<std::vector<Member>> members_;  // [set]
};

/// SHA-256 over ids, roles and contents of probes.
std::string probes_hash(const std::vector<Probe>& probes);
/// The same with what is expected of each.
std::string answers_hash(const std::vector<Probe>& probes);

}  // namespace seawall
