#include "study/grid_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"

namespace seawall {
namespace {

using nlohmann::json;

template <class T>
struct WordsOf;  // of an enum, in its order
template <>
struct WordsOf<Table::Role> {
  static constexpr std::array<const char*, 6> all{"attack",     "defence", "sweep",
                                                  "categories", "arena",   "settings"};
};
template <>
struct WordsOf<Drawing::Kind> {
  static constexpr std::array<const char*, 4> all{"curve", "lines", "heat", "radar"};
};
template <>
struct WordsOf<Choice::Harm> {
  static constexpr std::array<const char*, 2> all{"least", "most"};
};

/// The fields of a struct, each as f(name, member, required): one list to write and to read.
template <class T, class Struct>
concept Of = std::same_as<std::remove_const_t<T>, Struct>;

void fields(Of<GridArm> auto& a, auto&& f) {
  f("name", a.name, true), f("words", a.words, true), f("traced", a.traced, false);
}
void fields(Of<GridRun> auto& r, auto&& f) {
  f("arm", r.arm, true), f("seed", r.seed, true), f("file", r.file, true), f("key", r.key, true);
}
void fields(Of<GridCell> auto& c, auto&& f) {
  f("cell", c.cell, true), f("arm", c.arm, true), f("epoch", c.epoch, false);
  f("condition", c.condition, false), f("category", c.category, false), f("group", c.group, false);
  f("published", c.published, false), f("headline", c.headline, false), f("at", c.at, false);
  f("choice", c.choice, false);
}
void fields(Of<CellName> auto& n, auto&& f) {
  f("cell", n.cell, true), f("condition", n.condition, false);
}
void fields(Of<Ordering> auto& o, auto&& f) {
  f("lower", o.lower, true), f("upper", o.upper, true), f("text", o.text, true);
}
void fields(Of<PublishedFigure> auto& p, auto&& f) {
  f("cell", p.cell, true), f("condition", p.condition, false), f("model", p.model, true);
  f("score", p.score, false), f("rate", p.rate, false), f("probes", p.probes, true);
}
void fields(Of<Drawing> auto& d, auto&& f) {
  f("kind", d.kind, true), f("name", d.name, true), f("title", d.title, false);
  f("x", d.x, false), f("y", d.y, false), f("moved", d.moved, false);
}
void fields(Of<MeasuredColumn> auto& m, auto&& f) {
  f("number", m.number, true), f("title", m.title, false), f("percent", m.percent, false);
}
void fields(Of<HiddenHarm> auto& h, auto&& f) {
  f("cell", h.cell, true), f("shown", h.shown, false), f("hidden", h.hidden, true);
  f("before", h.before, false), f("model", h.model, false), f("opening", h.opening, false);
}
void fields(Of<Choice> auto& c, auto&& f) {
  f("harm", c.harm, true), f("utility_loss", c.utility_loss, false);
}
void fields(Of<Table> auto& t, auto&& f) {
  f("name", t.name, true), f("title", t.title, false), f("lead", t.lead, false);
  f("role", t.role, false), f("row_title", t.row_title, false), f("orderings", t.orderings, false);
  f("published", t.published, false), f("drawings", t.drawings, false);
  f("measured", t.measured, false), f("hidden", t.hidden, false), f("choice", t.choice, false);
  f("cells", t.cells, true);
}
void fields(Of<GridFolder> auto& g, auto&& f) {
  f("seawall", g.version, true), f("command", g.grid.command, true);
  f("source", g.grid.source, false), f("notes", g.grid.notes, false);
  f("seeds", g.seeds, true), f("arms", g.grid.arms, true);
  f("runs", g.runs, true), f("tables", g.grid.tables, false);
}

template <class T>
json written(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return WordsOf<T>::all.at(static_cast<std::size_t>(value));
  } else if constexpr (requires { fields(value, [](const char*, const auto&, bool) {}); }) {
    json out = json::object();
    fields(value, [&](const char* name, const auto& member, bool) { out[name] = written(member); });
    return out;
  } else if constexpr (requires { value.has_value(); }) {
    return value ? written(*value) : json();
  } else if constexpr (requires { typename T::value_type; } && !std::same_as<T, std::string>) {
    json out = json::array();
    for (const auto& one : value) out.push_back(written(one));
    return out;
  } else if constexpr (requires { value.second; }) {
    return json::array({value.first, value.second});
  } else {
    return value;  // NaN becomes null
  }
}

template <class T>
void read_into(T& out, const json& from, const std::string& where) {
  const auto wrong = [&] { return DataError(where + " has the wrong type"); };
  if constexpr (std::is_enum_v<T>) {
    const auto& all = WordsOf<T>::all;
    const auto found = std::find(all.begin(), all.end(), from.is_string() ? from : json(""));
    if (found == all.end()) throw DataError(where + ": no such word: " + from.dump());
    out = static_cast<T>(found - all.begin());
  } else if constexpr (requires { fields(out, [](const char*, auto&, bool) {}); }) {
    if (!from.is_object()) throw DataError(where + ": want an object");
    fields(out, [&](const char* name, auto& member, bool required) {
      const auto found = from.find(name);
      if (found == from.end() && required)
        throw DataError(where + ": want a field `" + std::string(name) + "`");
      if (found != from.end())
        read_into(member, *found, where + ": field `" + std::string(name) + "`");
    });
  } else if constexpr (requires { out.has_value(); }) {
    if (!from.is_null()) read_into(out.emplace(), from, where);
  } else if constexpr (requires { typename T::value_type; } && !std::same_as<T, std::string>) {
    if (!from.is_array()) throw wrong();
    for (std::size_t i = 0; i < from.size(); ++i)
      read_into(out.emplace_back(), from[i], where + "[" + std::to_string(i) + "]");
  } else if constexpr (std::same_as<T, double>) {
    if (!from.is_number() && !from.is_null()) throw wrong();
    out = from.is_null() ? std::numeric_limits<double>::quiet_NaN() : from.get<double>();
  } else {
    try {
      from.get_to(out);
    } catch (const json::exception&) {
      throw wrong();
    }
  }
}

/// The cells of a file of an earlier version, as tables.
void read_cells(Grid& grid, const json& document, const std::string& file) {
  const auto cells = document.find("cells");
  if (cells == document.end() || !cells->is_array())
    throw DataError(file + ": want a list `tables`");
  for (std::size_t i = 0; i < cells->size(); ++i) {
    const std::string where = file + ": cells[" + std::to_string(i) + "]";
    GridCell cell;
    read_into(cell, (*cells)[i], where);
    std::string table;
    read_into(table, (*cells)[i].value("table", json()), where + ": field `table`");
    auto place = std::ranges::find(grid.tables, table, &Table::name);
    if (place == grid.tables.end())
      place = grid.tables.insert(place, {.name = table, .title = table, .row_title = table});
    place->cells.push_back(std::move(cell));
  }
  for (Table& table : grid.tables)
    if (std::ranges::none_of(table.cells, [](const GridCell& c) { return c.category.empty(); }))
      table.role = Table::Role::categories;
}

}  // namespace

std::string grid_text(const GridFolder& content) { return written(content).dump(1) + "\n"; }

std::string table_text(const Table& table) {
  Table alone = table;
  alone.cells.clear();
  return written(alone).dump();
}

GridFolder grid_from(const std::string& text, const std::string& file) {
  const json document = parse_json(text, file);
  GridFolder out;
  read_into(out, document, file);
  if (!document.contains("tables")) read_cells(out.grid, document, file);
  return out;
}

}  // namespace seawall
