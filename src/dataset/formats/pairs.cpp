#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "seawall/dataset/formats.hpp"

namespace seawall {

std::string Pairs::known_names() { return known_pairs(); }

bool Pairs::is(const Json& record, const FormatWanted& wanted) {
  return pair_keys(record, wanted.columns).has_value();
}

Dialogue Pairs::read(const Json& record, const Reading& reading) {
  const auto keys = pair_keys(record, reading.columns);
  if (!keys)
    reading.place.fail("want the keys " +
                       (reading.columns.empty() ? known_pairs() : std::string(reading.columns)));
  return pair_dialogue(record, *keys, reading.place, reading.report);
}

std::vector<std::string> Pairs::headers(std::string_view columns) { return pair_names(columns); }

std::string Pairs::column_names(const Json& record, std::string_view columns) {
  const auto keys = pair_keys(record, columns);
  return keys ? keys->request + ", " + keys->answer : "";
}

}  // namespace seawall
