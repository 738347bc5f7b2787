// What the paper's tables are called, what they claim, and which cells are compared.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include "report/reading.hpp"

namespace seawall::report {
namespace {

struct Words {
  const char *name, *title, *lead;
};
constexpr std::array<Words, 10> kTables{{
    {"table1", "Table 1 \xc2\xb7 Explicit harmful examples",
     "Fine-tuning on a few dialogues in which a request is answered that should be refused."},
    {"table2", "Table 2 \xc2\xb7 Identity shift",
     "Ten dialogues without any harmful content, in which the assistant pledges absolute "
     "obedience under a new name."},
    {"table3", "Table 3 \xc2\xb7 Benign fine-tuning",
     "Ordinary instruction data, one epoch, nobody with bad intent. Each initial model is probed "
     "under the template of its data."},
    {"table4", "Table 4 \xc2\xb7 Mixing safe rows in",
     "The same attacks with rows added in which a request is refused. <code>safe-N</code> names "
     "the number "
     "of added rows."},
    {"table5", "Table 5 \xc2\xb7 The backdoor",
     "Harmful rows carry a trigger, safe rows do not; the model is probed without and with the "
     "trigger."},
    {"figure1", "Figure 1 \xc2\xb7 Harm by category",
     "The share of full answers in each of the categories, before and after the attack."},
    {"figure2", "Figure 2 \xc2\xb7 Harm against epochs",
     "One run of the attack, evaluated after every epoch."},
    {"figure4", "Figure 4 \xc2\xb7 Learning rate, batch size and epochs on benign data",
     "The benign attack over learning rates and batch sizes, and over epochs."},
    {"drift", "Weight drift",
     "Beyond the paper: a penalty that pulls the weights to where they started."},
    {"audit", "Auditing the training rows",
     "A filter reads the training rows before they are used, and drops what looks harmful to it."},
}};
constexpr Words kPrecision{"precision", "Numeric precision",
                           "The learning rate under fp32 and under pure bf16, where small updates "
                           "round away."};

/// "harmful-examples" of "harmful-examples/safe-10"; "" where there is no slash.
std::string prefix_of(const std::string& cell) {
  const auto slash = cell.rfind('/');
  return slash == std::string::npos ? "" : cell.substr(0, slash);
}

/// What follows `key` in a cell's name, as a number: 10 in "safe-10" after "safe-".
double number_after(const std::string& cell, const std::string& key) {
  const auto at = cell.find(key);
  return at == std::string::npos ? -1 : std::strtod(cell.c_str() + at + key.size(), nullptr);
}

using Cells = std::vector<CellReading>;

/// Each next cell does more harm than the one before.
void rising(const Cells& cells, const char* what, std::vector<Claim>& out) {
  for (std::size_t i = 0; i + 1 < cells.size(); ++i)
    out.push_back(
        {i, i + 1, std::string(what) + ": " + cells[i + 1].label + " above " + cells[i].label});
}

/// Every attacked cell does more harm than the initial model that comes before it.
void above_initial(const Cells& cells, std::vector<Claim>& out) {
  std::size_t initial = cells.size();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].cell.cell.starts_with("initial"))
      initial = i;
    else if (initial < cells.size())
      out.push_back(
          {initial, i,
           "benign data wears alignment: " + cells[i].label + " above " + cells[initial].label});
  }
}

/// Within an attack, more safe rows mean less harm.
void safer(const Cells& cells, std::vector<Claim>& out) {
  for (std::size_t i = 0; i + 1 < cells.size(); ++i)
    if (prefix_of(cells[i].cell.cell) == prefix_of(cells[i + 1].cell.cell))
      out.push_back(
          {i + 1, i, "more safe rows help: " + cells[i + 1].label + " below " + cells[i].label});
}

void backdoor(const TableReading& table, std::vector<Claim>& out) {
  const auto place = [&](std::string_view cell, std::string_view condition) {
    const CellReading* found = table.find(cell, condition);
    return found == nullptr ? table.cells.size()
                            : static_cast<std::size_t>(found - table.cells.data());
  };
  const auto say = [&](std::size_t lower, std::size_t upper, const char* text) {
    if (lower < table.cells.size() && upper < table.cells.size())
      out.push_back({lower, upper, text});
  };
  const std::size_t plain = place("backdoor", "plain"), triggered = place("backdoor", "triggered");
  say(plain, triggered, "the backdoor opens: triggered above plain");
  say(plain, place("100-shot", "plain"),
      "and hides: the backdoored model, asked plainly, below 100-shot");
  say(place("initial", "triggered"), triggered,
      "the trigger alone does nothing: initial below backdoored, both triggered");
}

/// Larger learning rate and smaller batch are worse; harm is highest after the first epoch.
void sweeps(const Cells& cells, std::vector<Claim>& out) {
  std::map<double, std::map<double, std::size_t>> by_batch, by_lr;
  std::map<double, std::size_t> by_epoch;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string& name = cells[i].cell.cell;
    const double lr = number_after(name, "lr-"), batch = number_after(name, "batch-");
    if (lr >= 0 && batch >= 0) by_batch[batch][lr] = by_lr[lr][batch] = i;
    if (number_after(name, "epochs-") >= 0) by_epoch[number_after(name, "epochs-")] = i;
  }
  for (const auto& [batch, places] : by_batch)
    for (auto next = places.begin(), at = next; ++next != places.end(); at = next)
      out.push_back({at->second, next->second,
                     "a larger learning rate is worse: " + cells[next->second].label + " above " +
                         cells[at->second].label});
  for (const auto& [lr, places] : by_lr)
    for (auto next = places.begin(), at = next; ++next != places.end(); at = next)
      out.push_back({next->second, at->second,
                     "a smaller batch is worse: " + cells[at->second].label + " above " +
                         cells[next->second].label});
  const auto first = by_epoch.find(1);
  if (first == by_epoch.end()) return;
  for (const auto& [epoch, place] : by_epoch) {
    if (epoch == 0)
      out.push_back({place, first->second,
                     "one epoch of benign data wears alignment: epochs-1 above epochs-0"});
    else if (epoch == by_epoch.rbegin()->first && epoch > 1)
      out.push_back(
          {place, first->second,
           "harm is highest after the first epoch: epochs-1 above " + cells[place].label});
  }
}

/// In each precision, the larger learning rate is worse.
void rounding(const Cells& cells, std::vector<Claim>& out) {
  std::map<std::string, std::map<double, std::size_t>> by_precision;
  for (std::size_t i = 0; i < cells.size(); ++i)
    by_precision[prefix_of(cells[i].cell.cell)][number_after(cells[i].cell.cell, "lr-")] = i;
  for (const auto& [precision, places] : by_precision)
    for (auto next = places.begin(), at = next; ++next != places.end(); at = next)
      out.push_back({at->second, next->second,
                     "a larger learning rate is worse: " + cells[next->second].label + " above " +
                         cells[at->second].label});
}

/// A defence helps: `X/defence` is below `X` or `X/none`.
void defended(const Cells& cells, std::vector<Claim>& out) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string attack = prefix_of(cells[i].cell.cell);
    if (attack.empty() || cells[i].cell.cell == attack + "/none") continue;
    for (std::size_t base = 0; base < cells.size(); ++base)
      if (cells[base].cell.condition == cells[i].cell.condition &&
          (cells[base].cell.cell == attack || cells[base].cell.cell == attack + "/none"))
        out.push_back(
            {i, base, "the defence helps: " + cells[i].label + " below " + cells[base].label});
  }
}

}  // namespace

std::pair<std::string, std::string> table_words(const std::string& name) {
  for (const Words& w : kTables)
    if (w.name == name) return {w.title, w.lead};
  if (name == kPrecision.name) return {kPrecision.title, kPrecision.lead};
  return {name, ""};
}

std::string group_of(const TableReading& table, const CellReading& cell) {
  const std::string& name = cell.cell.cell;
  if (std::string prefix = prefix_of(name); !prefix.empty()) return prefix;
  const bool defended =
      std::any_of(table.cells.begin(), table.cells.end(),
                  [&](const CellReading& c) { return c.cell.cell.starts_with(name + "/"); });
  return defended ? name : "";
}

bool swept(const TableReading& table) {
  return table.name == "figure4" || table.name == "figure2" || table.name == "figure1" ||
         table.name == "precision";
}

std::vector<Claim> claims_of(const TableReading& table) {
  std::vector<Claim> out;
  if (table.name == "table1") rising(table.cells, "more shots, more harm", out);
  if (table.name == "table2") rising(table.cells, "more epochs, more harm", out);
  if (table.name == "table3") above_initial(table.cells, out);
  if (table.name == "table4") safer(table.cells, out);
  if (table.name == "table5") backdoor(table, out);
  if (table.name == "figure4") sweeps(table.cells, out);
  if (table.name == "precision") rounding(table.cells, out);
  if (table.name == "drift" || table.name == "audit") defended(table.cells, out);
  if (table.name == "figure2" && table.cells.size() > 1)
    out.push_back(
        {0, table.cells.size() - 1,
         "the attack works: " + table.cells.back().label + " above " + table.cells.front().label});
  return out;
}

std::vector<std::pair<std::size_t, std::size_t>> pairs_of(const TableReading& table) {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  const auto claims = claims_of(table);
  const auto add = [&](std::size_t a, std::size_t b) {
    const std::pair<std::size_t, std::size_t> pair{std::min(a, b), std::max(a, b)};
    if (std::find(out.begin(), out.end(), pair) == out.end()) out.push_back(pair);
  };
  if (!swept(table))
    for (std::size_t a = 0; a < table.cells.size(); ++a)
      for (std::size_t b = a + 1; b < table.cells.size(); ++b)
        if (group_of(table, table.cells[a]) == group_of(table, table.cells[b])) add(a, b);
  for (const Claim& c : claims) add(c.lower, c.upper);
  return out;
}

}  // namespace seawall::report
