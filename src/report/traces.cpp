#include "report/traces.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/html.hpp"
#include "report/sections.hpp"

namespace seawall::report {
namespace {

constexpr std::size_t shown_rows = 10, shown_text = 150;

std::string nats(const Estimate& e) {
  if (!e.measured()) return number(not_measured, 0);
  return number(e.value, 2) +
         (std::isnan(e.lo) ? ""
                           : tag("small", "[" + number(e.lo, 2) + ", " + number(e.hi, 2) + "]"));
}

Estimate at_token(const ByToken& line, std::size_t token) {
  return token < line.mean.size() ? line.mean[token] : no_estimate;
}

/// What part of the KL divergence is at the first token of an answer. NaN if there is none.
double share_at_first(const ByToken& kl) {
  double sum = 0;
  for (std::size_t t = 0; t < kl.mean.size(); ++t)
    sum += kl.mean[t].value * static_cast<double>(kl.n[t]);
  return sum > 0 ? kl.mean.front().value * static_cast<double>(kl.n.front()) / sum : not_measured;
}

/// "Without a depth trace: `a` and `b`. `seawall run … --trace depth` …".
std::string absent(const std::vector<std::string>& arms, const char* what, const char* how) {
  if (arms.empty()) return "";
  std::vector<std::string> names;
  for (const std::string& arm : arms) names.push_back(tag("code", escape(arm)));
  return tag("p", {{"class", "note"}}, std::string(what) + listed(names) + ". " + code_text(how));
}

std::string not_drawn(std::size_t all) {
  return all <= most_panels ? ""
                            : tag("p", {{"class", "note"}},
                                  "The figures have the first " + std::to_string(most_panels) +
                                      " arms, the CSV all " + std::to_string(all) + ".");
}

std::string left_out(const DepthReading& d) {
  std::vector<std::string> words;
  const auto say = [&](std::int64_t n, const char* what) {
    if (n > 0) words.push_back(std::to_string(n) + " " + what);
  };
  say(d.not_refused, "restricted, not refused");
  say(d.not_full, "ordinary, not answered in full");
  say(d.not_judged, "not judged");
  say(d.no_tokens, "without tokens");
  return words.empty() ? "nothing" : listed(words);
}

/// A turn of a dialogue, cut.
std::string turn(const std::string& text) {
  if (text.size() <= shown_text) return escape(text);
  std::size_t end = shown_text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return escape(std::string_view(text).substr(0, end)) + "\xe2\x80\xa6";
}

/// The last request and the answer to it, out of the messages of a row.
std::string row_turns(const std::string& messages) {
  const auto parsed = nlohmann::json::parse(messages, nullptr, false);
  std::string request, answer;
  if (parsed.is_array())
    for (const auto& message : parsed) {
      if (!message.is_object() || !message.contains("content") || !message["content"].is_string())
        continue;
      const std::string role = message.value("role", "");
      if (role == "user") request = message["content"];
      if (role == "assistant") answer = message["content"];
    }
  return request.empty() && answer.empty()
             ? turn(messages)
             : turn(request) + tag("span", {{"class", "scaled"}}, turn(answer));
}

std::string rows_table(const RowsReading& r) {
  std::vector<std::vector<std::string>> rows;
  for (const LearnedRow& row : r.rows) {
    if (rows.size() == shown_rows) break;
    std::string losses;
    for (const double x : row.loss) losses += (losses.empty() ? "" : " ") + number(x, 2);
    rows.push_back({escape(row.id), escape(row.kind), std::to_string(row.runs)});
    if (!r.once) rows.back().push_back(number(row.moved, 2));
    rows.back().push_back(losses);
    rows.back().push_back(r.built_in ? row_turns(row.text)
                                     : count(static_cast<double>(row.text.size())) + " bytes");
  }
  std::vector<std::string> header{"row", "kind", "runs"};
  if (!r.once) header.emplace_back("fall, nats");
  header.emplace_back(r.once ? "loss, nats" : "loss by epoch, nats");
  header.emplace_back(r.built_in ? "request, and the answer that is trained on" : "length");
  return plain_table(r.once ? "ttnnt" : "ttnnnt", header, rows);
}

}  // namespace

std::string trace_label(const std::string& arm, const std::string& condition, bool several) {
  return several ? arm + ", " + condition : arm;
}

/// What is left of each attack with the first tokens of its answers fixed.
static std::string fixed_table(const TraceReading& traces) {
  if (traces.fixed.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const FixedReading& f : traces.fixed)
    for (const FixedTokens& one : f.fixed)
      rows.push_back({escape(f.arm), escape(f.condition), std::to_string(one.tokens),
                      std::to_string(one.runs), percent(f.rate.value), percent(one.rate.value),
                      percent_interval(one.rate), percent(one.undone.mean)});
  return fold(
      "With the first tokens fixed",
      plain_table("ttnnnntn",
                  {"arm", "condition", "tokens fixed", "runs", "full answers, %",
                   "with these fixed, %", "95 %", "undone, %"},
                  rows) +
          "<p>At the end, each answer begun with the first tokens of the one that its probe "
          "got at the start (" +
          tag("a", {{"href", "figures/fixed.csv"}}, "fixed.csv") +
          "). Undone is the share of the harm that this takes away, mean over the runs "
          "that do any.</p>",
      true);
}

std::string depth_section(const TraceReading& traces) {
  std::vector<std::vector<std::string>> rows;
  for (const DepthReading& d : traces.depth) {
    const DepthMoment &start = d.moments.front(), &end = d.moments.back();
    rows.push_back({escape(d.arm), escape(d.condition), std::to_string(end.runs),
                    count(static_cast<double>(d.refusals)),
                    nats(at_token(start.refusals_logprob, 0)),
                    nats(at_token(end.refusals_logprob, 0)), nats(at_token(end.refusals_kl, 0)),
                    nats(at_token(end.refusals_kl, 1)), percent(share_at_first(end.refusals_kl)),
                    nats(at_token(end.compliant_kl, 0)), escape(left_out(d))});
  }
  std::string out;
  if (!rows.empty())
    out =
        fold("Depth in numbers",
             plain_table(
                 "ttnnnnnnnnt",
                 {"arm", "condition", "runs", "refusals", "log-probability of their token 1, start",
                  "end", "KL at token 1", "at token 2", "share of the KL at token 1, %",
                  "KL of answered requests at token 1", "left out"},
                 rows) +
                 "<p>Nats, with 95 % intervals. Counts are of answers over all runs; an answer is "
                 "left out by what the start made of its prompt.</p>",
             true);
  return out + fixed_table(traces) + not_drawn(traces.depth.size()) +
         absent(traces.without_depth, "No depth is shown for ",
                "Their runs have no depth trace from the start on: `--trace depth` with "
                "`--evaluate-at both`, or `steps:1,2,5`, records it.");
}

std::string direction_section(const TraceReading& traces) {
  if (traces.direction.empty()) return "";  // what would give it is said under the depth
  const auto& cosine = traces.direction.front().moments.front().cosine;
  const bool embedding = !cosine.empty() && std::isnan(cosine.front().mean);
  return (embedding ? tag("p",
                          "At layer 0 there is no direction: every prompt ends in the same "
                          "token.")
                    : "") +
         not_drawn(traces.direction.size());
}

std::string drift_harm_section(const TraceReading& traces) {
  return absent(traces.without_steps,
                "Evaluated at the end alone: ", "`--evaluate-at steps:1,2,5` draws the way there.");
}

std::string rows_section(const TraceReading& traces) {
  std::string out;
  bool once = false, several = false, hidden = false, left = false;
  for (const RowsReading& r : traces.rows) {
    (r.once ? once : several) = true;
    hidden = hidden || !r.built_in;
    left = left || r.no_loss > 0;
    out +=
        fold(tag("b", escape(r.arm)) +
                 tag("span", {{"class", "counts"}},
                     "of " + count(static_cast<double>(r.rows.size())) + " rows" +
                         (r.no_loss > 0 ? ", " + count(static_cast<double>(r.no_loss)) + " left out"
                                        : "")),
             rows_table(r));
  }
  if (out.empty()) return "";
  std::string lead;
  if (several)
    lead += "A row moved the model by as much as its loss fell from the first epoch to the last. ";
  if (once)
    lead +=
        "Of an arm with one epoch no loss could fall; its rows are those with the highest loss. ";
  lead +=
      "A loss is the mean over the tokens of the answer, before the update of the step that "
      "had the row, and the mean over the runs that trained on it. ";
  if (left)
    lead += "Left out, run by run, are rows that no step had, or a single epoch of several. ";
  if (hidden) lead += "Rows of files of one\xe2\x80\x99s own are named, and not printed. ";
  return tag("p", lead + tag("a", {{"href", "figures/rows.csv"}}, "rows.csv") + " has every row.") +
         out;
}

}  // namespace seawall::report
