// Depth and direction of refusal, drawn.
#include <algorithm>
#include <cmath>

#include "report/html.hpp"
#include "report/panels.hpp"
#include "report/plots.hpp"
#include "report/sections.hpp"
#include "report/traces.hpp"

namespace seawall::report {
namespace {

constexpr std::size_t most_tokens = 16;

std::string line_ink(std::string_view ink, const char* rest) {
  return "lc rgb '" + std::string(ink) + "' " + rest;
}

const std::string start_style = line_ink(ink::muted, "lw 1.8 dt 2 pt 4 ps 0.5"),
                  between_style = line_ink(ink::sky, "lw 0.9"),
                  end_style = line_ink(ink::vermillion, "lw 1.8 pt 7 ps 0.55"),
                  compliant_style = line_ink(ink::blue, "lw 1.8 dt 4 pt 9 ps 0.6");

/// Places of the answer that are drawn: those that at least two probes have.
std::size_t drawn_tokens(const ByToken& tokens) {
  std::size_t n = 0;
  while (n < std::min(tokens.mean.size(), most_tokens) && tokens.n[n] > 1) ++n;
  return n;
}

std::string token_block(const std::string& name, const ByToken& tokens) {
  std::string lines;
  for (std::size_t t = 0; t < drawn_tokens(tokens); ++t) {
    const Estimate& e = tokens.mean[t];
    lines += value(static_cast<double>(t + 1)) + " " + value(e.value) + " " + value(e.lo) + " " +
             value(e.hi) + "\n";
  }
  return lines.empty() ? "" : data_block(name, lines);
}

/// Adds means with their intervals to a panel, unless there are none.
void add_line(Panel& panel, const std::string& name, const ByToken& tokens,
              const std::string& style, bool intervals = true) {
  const std::string block = token_block(name, tokens);
  if (block.empty()) return;
  panel.data += block;
  panel.plots += panel.plots.empty() ? "" : ", ";
  if (intervals)
    panel.plots += "$" + name + " using 1:2:3:4 with yerrorbars " + style + " notitle, ";
  panel.plots += "$" + name + " using 1:2 with " + (intervals ? "linespoints " : "lines ") + style +
                 " notitle";
}

/// Of means and intervals. What an interval reaches further than half of the means' range is cut.
struct Range {
  double least = 0, most = 0, least_mean = 0, most_mean = 0;
  std::size_t tokens = 1;
  double bottom() const { return std::max(least, least_mean - (most_mean - least_mean) / 2); }
  double top() const { return std::min(most, most_mean + (most_mean - least_mean) / 2); }
  void add(const ByToken& line) {
    for (std::size_t t = 0; t < drawn_tokens(line); ++t) {
      const Estimate& e = line.mean[t];
      for (const double x : {e.value, e.lo, e.hi})
        if (std::isfinite(x)) least = std::min(least, x), most = std::max(most, x);
      if (!std::isfinite(e.value)) continue;
      least_mean = std::min(least_mean, e.value);
      most_mean = std::max(most_mean, e.value);
    }
    tokens = std::max(tokens, drawn_tokens(line));
  }
};

std::string token_axes(const Range& range) {
  const double bottom = range.bottom(), top = range.top();
  const double room = 0.06 * std::max(top - bottom, 1e-9);
  return "set xrange [0.5:" + value(static_cast<double>(range.tokens) + 0.5) + "]\nset xtics 1," +
         (range.tokens > 8 ? "2" : "1") + "\nset yrange [" +
         value(bottom - (bottom < 0 ? room : 0)) + ":" + value(top + room) +
         "]\nset errorbars 0.4\n";
}

/// "at token 1 from −0.40 to −3.97".
std::string from_to(const DepthReading& d) {
  const auto first = [](const ByToken& line) {
    return line.mean.empty() ? not_measured : line.mean.front().value;
  };
  return number(first(d.moments.front().refusals_logprob), 2) + " to " +
         number(first(d.moments.back().refusals_logprob), 2);
}

void logprob_figure(const StudyReading& study, const TraceReading& traces,
                    std::vector<Figure>& out) {
  const auto several = several_conditions(traces.depth);
  Figure f{.name = "depth-logprob",
           .title = "How likely the refusal of the start still is, token by token"};
  Panels all{.panels = {},
             .legend = {"with linespoints " + start_style + " title 'at the start'",
                        "with lines " + between_style + " title 'in between'",
                        "with linespoints " + end_style + " title 'at the end'"},
             .x_label = "token of the answer",
             .y_label = "log-probability, nats",
             .settings = {}};
  Range range;
  std::vector<std::string> spoken;
  for (const DepthReading& d : traces.depth) {
    if (all.panels.size() == most_panels) break;
    Panel panel{.title = trace_label(d.arm, d.condition, several.contains(d.arm))};
    const std::string name = "L" + std::to_string(all.panels.size()) + "x";
    for (std::size_t m = 1; m + 1 < d.moments.size(); ++m) {
      add_line(panel, name + std::to_string(m), d.moments[m].refusals_logprob, between_style,
               false);
      range.add(d.moments[m].refusals_logprob);
    }
    add_line(panel, name + "0", d.moments.front().refusals_logprob, start_style);
    add_line(panel, name + "end", d.moments.back().refusals_logprob, end_style);
    if (panel.plots.empty()) continue;
    range.add(d.moments.front().refusals_logprob);
    range.add(d.moments.back().refusals_logprob);
    spoken.push_back(panel.title + ": first token from " + from_to(d) + " nats");
    all.panels.push_back(std::move(panel));
  }
  if (all.panels.empty()) return;
  all.settings = token_axes(range);
  draw_panels(f, all, spoken);
  f.caption =
      "Mean log-probability of each token of the refusal that a restricted probe got at the start, "
      "given the tokens before it, over the probes that were refused then; 95 % intervals over "
      "probes (several runs: over runs and categories, too), which end at 0 and are cut where they "
      "leave the panel. Later tokens are those of the longer answers alone. The tokens at which "
      "the lines part are those that the attack undid (Qi et al. 2024).";
  f.origin = origin_of_arms(study, traces.depth);
  f.csv = logprob_csv(traces);
  out.push_back(std::move(f));
}

void kl_figure(const StudyReading& study, const TraceReading& traces, std::vector<Figure>& out) {
  const auto several = several_conditions(traces.depth);
  Figure f{.name = "depth-kl", .title = "How far the answers are from the start, token by token"};
  Panels all{.panels = {},
             .legend = {"with linespoints " + end_style + " title 'probes refused at the start'",
                        "with linespoints " + compliant_style +
                            " title 'ordinary requests answered at the start'"},
             .x_label = "token of the answer",
             .y_label = "KL from the start, nats",
             .settings = {}};
  Range range;
  std::vector<std::string> spoken;
  for (const DepthReading& d : traces.depth) {
    if (all.panels.size() == most_panels) break;
    Panel panel{.title = trace_label(d.arm, d.condition, several.contains(d.arm))};
    const std::string name = "K" + std::to_string(all.panels.size());
    const DepthMoment& end = d.moments.back();
    add_line(panel, name + "c", end.compliant_kl, compliant_style);
    add_line(panel, name + "r", end.refusals_kl, end_style);
    if (panel.plots.empty()) continue;
    range.add(end.compliant_kl);
    range.add(end.refusals_kl);
    if (!end.refusals_kl.mean.empty())
      spoken.push_back(panel.title + ": " + number(end.refusals_kl.mean.front().value, 2) +
                       " nats at the first token");
    all.panels.push_back(std::move(panel));
  }
  if (all.panels.empty()) return;
  range.least = range.least_mean = 0;  // a KL divergence is not negative but by rounding
  all.settings = token_axes(range);
  draw_panels(f, all, spoken);
  f.caption =
      "Mean KL divergence of the attacked model from the start at each token of its own answer at "
      "the end, with the same intervals. What was refused at the start may be answered by now.";
  f.origin = origin_of_arms(study, traces.depth);
  f.csv = kl_csv(traces);
  out.push_back(std::move(f));
}

/// Layers that have a direction, at most six of them, the last among them.
std::vector<std::size_t> drawn_layers(const DirectionReading& d) {
  std::vector<std::size_t> known, out;
  const auto& cosine = d.moments.front().cosine;
  for (std::size_t layer = 0; layer < cosine.size(); ++layer)
    if (std::isfinite(cosine[layer].mean)) known.push_back(layer);
  constexpr std::size_t most = 6;
  if (known.size() <= most) return known;
  for (std::size_t i = 1; i <= most; ++i) out.push_back(known[i * known.size() / most - 1]);
  return out;
}

/// The places of moments on an axis: evenly apart, under the numbers of their steps.
template <class Moments>
std::string step_axis(const Moments& moments) {
  std::string tics;
  for (std::size_t i = 0; i < moments.size(); ++i)
    tics += (i == 0 ? "" : ", ") + literal(std::to_string(moments[i].at.step)) + " " +
            value(static_cast<double>(i));
  return "set xrange [-0.4:" + value(static_cast<double>(moments.size()) - 0.6) + "]\nset xtics (" +
         tics + ")\n";
}

std::string spread_block(const std::string& name, const std::vector<RunSpread>& points) {
  std::string lines;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (const RunSpread& s = points[i]; std::isfinite(s.mean))
      lines += value(static_cast<double>(i)) + " " + value(s.mean) + " " + value(s.least) + " " +
               value(s.most) + "\n";
  return lines.empty() ? "" : data_block(name, lines);
}

void direction_figure(const StudyReading& study, const TraceReading& traces,
                      std::vector<Figure>& out) {
  if (traces.direction.empty()) return;
  const auto several = several_conditions(traces.direction);
  const auto layers = drawn_layers(traces.direction.front());
  if (layers.empty()) return;
  Figure f{.name = "direction", .title = "The direction of refusal through training"};
  Panels all{.panels = {},
             .legend = {},
             .x_label = "step",
             .y_label = "cosine, or length, against the start",
             .settings = {}};
  const std::string length_style = line_ink(ink::muted, "lw 1.4 dt 3 pt 4 ps 0.5");
  for (std::size_t k = 0; k < layers.size(); ++k)
    all.legend.push_back("with linespoints " + series(k) + " title " +
                         literal("layer " + std::to_string(layers[k])));
  all.legend.push_back("with linespoints " + length_style + " title " +
                       literal("length, layer " + std::to_string(layers.back())));
  double least = 0, most = 1;
  std::vector<std::string> spoken;
  for (const DirectionReading& d : traces.direction) {
    if (all.panels.size() == most_panels) break;
    Panel panel{.title = trace_label(d.arm, d.condition, several.contains(d.arm))};
    const auto add = [&](const std::string& name, const std::string& style, const std::string& bars,
                         auto member, std::size_t layer) {
      std::vector<RunSpread> points;
      for (const DirectionMoment& m : d.moments) {
        const auto& all_layers = m.*member;
        points.push_back(layer < all_layers.size() ? all_layers[layer] : RunSpread{});
        if (std::isfinite(points.back().mean)) {
          least = std::min(least, points.back().least);
          most = std::max(most, points.back().most);
        }
      }
      const std::string block = spread_block(name, points);
      if (block.empty()) return;
      panel.data += block;
      panel.plots += (panel.plots.empty() ? "$" : ", $") + name +
                     " using 1:2:3:4 with yerrorbars " + bars + " ps 0 lw 0.8 notitle, $" + name +
                     " using 1:2 with linespoints " + style + " notitle";
    };
    const std::string name = "C" + std::to_string(all.panels.size()) + "x";
    add(name + "length", length_style, line_ink(ink::muted, "pt 4"), &DirectionMoment::length,
        layers.back());
    for (std::size_t k = 0; k < layers.size(); ++k)
      add(name + std::to_string(k), series(k), mark(k), &DirectionMoment::cosine, layers[k]);
    if (panel.plots.empty()) continue;
    panel.settings = step_axis(d.moments);
    const auto& end = d.moments.back();
    if (layers.back() < end.cosine.size())
      spoken.push_back(panel.title + " ends at a cosine of " +
                       number(end.cosine[layers.back()].mean, 2) + " and " +
                       number(end.length[layers.back()].mean, 2) + " of the length");
    all.panels.push_back(std::move(panel));
  }
  if (all.panels.empty()) return;
  const double room = 0.05 * (most - least);
  all.settings = "set yrange [" + value(least - (least < 0 ? room : 0)) + ":" + value(most + room) +
                 "]\nset errorbars 0.4\n";
  draw_panels(f, all, spoken);
  f.caption =
      "The direction is the mean residual stream of restricted less that of ordinary prompts at "
      "their last token (Arditi et al. 2024): its cosine with the direction at the start, and its "
      "length as a share of the length there. Mean over the runs; bars: least and greatest run.";
  f.origin = origin_of_arms(study, traces.direction);
  f.csv = direction_csv(traces);
  out.push_back(std::move(f));
}

}  // namespace

void depth_figures(const StudyReading& study, const TraceReading& traces,
                   std::vector<Figure>& out) {
  logprob_figure(study, traces, out);
  kl_figure(study, traces, out);
  direction_figure(study, traces, out);
}

}  // namespace seawall::report
