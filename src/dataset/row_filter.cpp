#include "seawall/dataset/row_filter.hpp"

#include <algorithm>
#include <charconv>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

void strip_row(Dialogue& dialogue) {
  constexpr std::string_view space = " \t\r\n\v\f";
  for (auto& [role, content, loss] : dialogue.messages) {
    if (role == Role::system) continue;
    content.erase(content.find_last_not_of(space) + 1);
    if (role == Role::assistant)
      content.erase(0, std::min(content.find_first_not_of(space), content.size()));
  }
}

}  // namespace

HoldOut hold_out_from(std::string_view text) {
  if (text.empty() || text == "none") return {};
  const auto colon = std::min(text.find(':'), text.size());
  const auto end = text.substr(0, colon), digits = text.substr(std::min(colon + 1, text.size()));
  std::size_t count = 0;
  const auto* stop = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), stop, count);
  const bool number = !digits.empty() && parsed.ec == std::errc() && parsed.ptr == stop;
  if (number && end == "first") return {.first = count, .last = 0};
  if (number && end == "last") return {.first = 0, .last = count};
  throw UsageError("--hold-out: want none, first:N or last:N, got '" + std::string(text) + "'");
}

LossOn loss_on_from(std::string_view text) {
  if (text == "last") return LossOn::last;
  if (text == "all") return LossOn::all;
  throw UsageError("--loss-on: want last or all, got '" + std::string(text) + "'");
}

void apply_filter(const RowFilter& filter, RowsFile& file, const std::string& path) {
  auto& rows = file.dataset.rows;
  std::vector<std::string> phrases;
  for (const auto& phrase : filter.phrases) phrases.push_back(lowered(phrase));
  const auto holds_phrase = [&](const Example& row) {
    for (std::size_t i = 0; i < row.dialogue.messages.size(); ++i) {
      if (!row.dialogue.carries_loss(i)) continue;
      const auto answer = lowered(row.dialogue.messages[i].content);
      for (const auto& p : phrases)
        if (answer.find(p) != std::string::npos) return true;
    }
    return false;
  };
  if (!phrases.empty()) file.report.filtered = std::erase_if(rows, holds_phrase);
  const auto held = filter.hold_out.first + filter.hold_out.last;
  if (held > 0 && held < rows.size()) {
    rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(filter.hold_out.first));
    rows.resize(rows.size() - filter.hold_out.last);
    file.report.held_out = held;
  } else if (held > 0) {
    throw DataError(path + ": " + std::to_string(rows.size()) + " rows, and --hold-out keeps " +
                    std::to_string(held) + " of them from training; lower it, or give " +
                    "--hold-out none");
  }
  if (rows.empty())
    throw DataError(path +
                    ": every one of its rows holds a phrase of --leave-out; give other "
                    "rows, or --leave-out none");
  if (filter.strip)
    for (auto& row : rows) strip_row(row.dialogue);
}

}  // namespace seawall
