#pragma once
// The evaluations of one set of probes as they are laid out in a run file, and their streams.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"
#include "store/schema.hpp"

namespace seawall {

/// Names in order of first appearance, and the place of each.
struct Index {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> places;
  std::size_t add(const std::string& name) {
    const auto [found, fresh] = places.emplace(name, names.size());
    if (fresh) names.push_back(name);
    return found->second;
  }
};

/// The evaluations of one set of probes, with the column of each of their results.
struct SetRows {
  ProbeSet set;
  std::string prefix;
  std::vector<const EvaluationRecord*> records;
  std::vector<std::int64_t> order;
  Index probes;
  std::vector<std::vector<std::size_t>> columns;  // [evaluation][result] -> probe
  std::string name(const char* variable) const { return prefix + variable; }
};

/// The word by which CF readers make these variables coordinates.
h5::Attributes with_coordinates(const SetRows& rows);

/// `resid_post`, if some evaluation has it.
void put_streams(h5::Writer& writer, SchemaWriter& out, const SetRows& rows, bool compress);
/// `resid_mean` and `refusal_cosine`, if some evaluation has them. `all`: those of every set.
void put_means(SchemaWriter& out, const SetRows& rows, const std::vector<EvaluationRecord>& all);

}  // namespace seawall
