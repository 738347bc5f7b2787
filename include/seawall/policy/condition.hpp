#pragma once
// Conditions that probes are put under: those of the attack and those of the mitigations.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/options.hpp"
#include "seawall/core/trace.hpp"

namespace seawall {

/// A condition that probes are put under.
struct Condition {
  std::string name;  // `plain`, `triggered`; `plain+with-key` where two sides have one each
  Decoding decoding = {};

  /// True if `part` is the name, or one of those that are joined in it: what a policy asks of its
  /// own conditions.
  bool is(std::string_view part) const {
    for (std::string_view rest = name; !part.empty();) {
      const auto end = rest.find('+');
      if (rest.substr(0, end) == part) return true;
      if (end == rest.npos) break;
      rest.remove_prefix(end + 1);
    }
    return name == part;
  }
  bool operator==(const Condition&) const = default;
};

namespace detail {

/// What of two sides is not at its default. Errors: UsageError if both say something else.
template <class T>
T said_once(const T& a, const T& b, const T& usual, const std::string& what) {
  if (a != usual && b != usual && a != b)
    throw UsageError("condition " + what + ": want one value, got " + to_text(a) + " and " +
                     to_text(b) + "; leave one of them out");
  return a == usual ? b : a;
}

}  // namespace detail

/// Every condition of `inner` under every one of `outer`, whose words come first in an answer; all
/// of one where the other has none. Errors: UsageError if both say how answers are drawn.
inline std::vector<Condition> crossed(const std::vector<Condition>& inner,
                                      const std::vector<Condition>& outer) {
  if (inner.empty() || outer.empty()) return inner.empty() ? outer : inner;
  const Decoding usual;
  std::vector<Condition> all;
  for (const Condition& a : inner)
    for (const Condition& b : outer) {
      const bool both = !a.name.empty() && !b.name.empty();
      Condition joined{.name = a.name + (both ? "+" : "") + b.name};
      const Decoding &x = a.decoding, &y = b.decoding;
      joined.decoding = {
          .prefill = y.prefill + x.prefill,
          .temperature = detail::said_once(x.temperature, y.temperature, usual.temperature,
                                           joined.name + ", temperature"),
          .top_p = detail::said_once(x.top_p, y.top_p, usual.top_p, joined.name + ", top-p"),
          .samples =
              detail::said_once(x.samples, y.samples, usual.samples, joined.name + ", samples")};
      all.push_back(std::move(joined));
    }
  return all;
}

/// The conditions of a run: the attack's times the mitigations'. An attack that has none of its own
/// is `plain`, which is not named where the mitigations have some. Errors: those of crossed;
/// UsageError for two of one name, and for decoding that cannot be. `everywhere` is of every one.
inline std::vector<Condition> conditions_of_run(const std::vector<Condition>& attack,
                                                const std::vector<Condition>& mitigations,
                                                const Decoding& everywhere = {}) {
  const bool only_plain = attack == std::vector<Condition>{{"plain"}};
  auto all = only_plain && !mitigations.empty() ? mitigations : crossed(attack, mitigations);
  all = crossed({Condition{.name = "", .decoding = everywhere}}, all);
  std::set<std::string_view> names;
  for (const Condition& condition : all) {
    const std::string where = "condition " + condition.name;
    const Decoding& d = condition.decoding;
    if (condition.name.empty() || !names.insert(condition.name).second)
      throw UsageError(where + ": want a name of its own for each condition");
    if (!(d.temperature >= 0 && d.temperature <= 100))
      throw UsageError(where + ": temperature: want 0 to 100, got " +
                       detail::to_text(d.temperature));
    if (!(d.top_p > 0 && d.top_p <= 1))
      throw UsageError(where + ": top-p: want more than 0 and at most 1, got " +
                       detail::to_text(d.top_p));
    if (d.samples < 1)
      throw UsageError(where + ": samples: want 1 or more, got " + std::to_string(d.samples));
    if (d.temperature == 0 && (d.top_p < 1 || d.samples > 1))
      throw UsageError(where + ": top-p and samples are of answers that are drawn, and at " +
                       "temperature 0 none is; give a temperature");
  }
  return all;
}

}  // namespace seawall
