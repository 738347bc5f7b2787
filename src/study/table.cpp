#include "seawall/study/table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/study/grid.hpp"

namespace seawall {
namespace {

using Cells = std::vector<const GridCell*>;

CellName name_of(const GridCell& cell) { return {cell.cell, cell.condition}; }

/// Cells by group, groups in the order of the table.
std::vector<Cells> grouped(const Table& table) {
  std::vector<Cells> out;
  for (const GridCell& cell : table.cells) {
    const auto found = std::find_if(out.begin(), out.end(), [&](const Cells& group) {
      return group.front()->group == cell.group;
    });
    (found == out.end() ? out.emplace_back() : *found).push_back(&cell);
  }
  return out;
}

Ordering says(const Table& table, const std::string& text, const GridCell& lower,
              const GridCell& upper, bool upper_first) {
  const std::string low = table.label(lower), high = table.label(upper);
  return {name_of(lower), name_of(upper),
          text + ": " + (upper_first ? high + " above " + low : low + " below " + high)};
}

/// Cells by their place on an axis, for each set of what else they have in common.
std::vector<std::map<double, const GridCell*>> along(const Table& table, const std::string& axis) {
  std::map<std::pair<std::string, std::map<std::string, double>>, std::map<double, const GridCell*>>
      lines;
  for (const GridCell& cell : table.cells) {
    if (std::isnan(cell.on(axis))) continue;
    std::map<std::string, double> others(cell.at.begin(), cell.at.end());
    others.erase(axis);
    lines[{cell.group + '\n' + cell.condition, others}][cell.on(axis)] = &cell;
  }
  if (lines.empty())
    throw UsageError("table " + table.name + ": a claim is along the axis " + axis +
                     ", which no cell has (GridCell::at)");
  std::vector<std::map<double, const GridCell*>> out;
  for (auto& [key, line] : lines) out.push_back(std::move(line));
  return out;
}

Claim next_along(const std::string& axis, const std::string& text, bool rises) {
  return [=](const Table& table) {
    std::vector<Ordering> out;
    for (const auto& line : along(table, axis))
      for (auto next = line.begin(), at = next; ++next != line.end(); at = next)
        out.push_back(rises ? says(table, text, *at->second, *next->second, true)
                            : says(table, text, *next->second, *at->second, true));
    return out;
  };
}

Claim next_in_group(const std::string& text, bool rises) {
  return [=](const Table& table) {
    std::vector<Ordering> out;
    for (const Cells& group : grouped(table))
      for (std::size_t i = 0; i + 1 < group.size(); ++i)
        out.push_back(rises ? says(table, text, *group[i], *group[i + 1], true)
                            : says(table, text, *group[i + 1], *group[i], false));
    return out;
  };
}

}  // namespace

double GridCell::on(std::string_view axis) const {
  for (const auto& [name, place] : at)
    if (name == axis) return place;
  return std::numeric_limits<double>::quiet_NaN();
}

void Table::add(GridCell cell, GridArm arm) {
  if (arm.name.empty()) arm.name = cell.cell;
  cell.arm = arm.name;
  cells.push_back(std::move(cell));
  arms.push_back(std::move(arm));
}

std::string Table::label(const GridCell& cell) const {
  const bool several = std::count_if(cells.begin(), cells.end(), [&](const GridCell& other) {
                         return other.cell == cell.cell;
                       }) > 1;
  return several || cell.condition != "plain" ? cell.cell + " (" + cell.condition + ")" : cell.cell;
}

const GridCell* Table::find(std::string_view cell, std::string_view condition) const {
  for (const GridCell& c : cells)
    if (c.cell == cell && c.condition == condition) return &c;
  return nullptr;
}

Claim rising(const std::string& text) { return next_in_group(text, true); }
Claim falling(const std::string& text) { return next_in_group(text, false); }
Claim rising_along(const std::string& axis, const std::string& text) {
  return next_along(axis, text, true);
}
Claim falling_along(const std::string& axis, const std::string& text) {
  return next_along(axis, text, false);
}

Claim above(const std::string& base, const std::string& text) {
  return [=](const Table& table) {
    std::vector<Ordering> out;
    for (const GridCell& cell : table.cells)
      if (const GridCell* low = table.find(base, cell.condition);
          low != nullptr && low->cell != cell.cell)
        out.push_back(says(table, text, *low, cell, true));
    return out;
  };
}

Claim defended(const std::string& text) {
  return [=](const Table& table) {
    std::vector<Ordering> out;
    for (const GridCell& cell : table.cells) {
      const auto base = std::find_if(table.cells.begin(), table.cells.end(), [&](const auto& c) {
        return c.group == cell.group && c.condition == cell.condition;
      });
      if (&*base != &cell) out.push_back(says(table, text, cell, *base, false));
    }
    return out;
  };
}

Claim ordered(CellName lower, CellName upper, std::string text) {
  return [one = Ordering{std::move(lower), std::move(upper), std::move(text)}](const Table&) {
    return std::vector<Ordering>{one};
  };
}

void Grid::add(Table table) {
  const auto wrong = [&](const std::string& what) {
    throw UsageError("table " + table.name + ": " + what);
  };
  for (const Table& other : tables)
    if (other.name == table.name) wrong("there is another table of this name; give it its own");
  for (const GridCell& cell : table.cells)
    if (table.find(cell.cell, cell.condition) != &cell)
      wrong("two cells are called " + table.label(cell) + "; give each its own name");
  for (Drawing& drawing : table.drawings) {
    if (drawing.name.empty()) drawing.name = table.name;
    for (const auto& axis : {drawing.x, drawing.y})
      if (!axis.empty() && std::ranges::all_of(table.cells, [&](const GridCell& cell) {
            return std::isnan(cell.on(axis));
          }))
        wrong("the figure " + drawing.name + " is over the axis " + axis + ", which no cell has");
    for (const Table& other : tables)
      for (const Drawing& theirs : other.drawings)
        if (theirs.name == drawing.name)
          wrong("the table " + other.name + " has a figure " + theirs.name +
                ", too; give each its own name");
  }
  for (const GridArm& arm : table.arms) {
    const auto found = std::find_if(arms.begin(), arms.end(),
                                    [&](const GridArm& a) { return a.name == arm.name; });
    if (found == arms.end())
      arms.push_back(arm);
    else if (found->traced = found->traced || arm.traced; found->words != arm.words)
      wrong("the arm " + arm.name + " has other words elsewhere (" + found->words + "), here " +
            arm.words + "; give it another name");
  }
  table.arms.clear();
  for (const Claim& claim : table.claims)
    for (Ordering& one : claim(table)) table.orderings.push_back(std::move(one));
  table.claims.clear();
  for (const Ordering& one : table.orderings)
    for (const CellName* name : {&one.lower, &one.upper})
      if (table.find(name->cell, name->condition) == nullptr)
        wrong("the claim `" + one.text + "` is about a cell " + name->cell + " (" +
              name->condition + ") that it does not have");
  tables.push_back(std::move(table));
}

}  // namespace seawall
