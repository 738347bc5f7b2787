// What gnuplot's SVG terminal writes, made fit for a page.
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "report/figure.hpp"
#include "report/html.hpp"

namespace seawall::report {
namespace {

struct Named {
  std::string_view colour, variable;
};
constexpr std::array<Named, 8> variables{{{ink::blue, "--blue"},
                                          {ink::vermillion, "--vermillion"},
                                          {ink::green, "--green"},
                                          {ink::purple, "--purple"},
                                          {ink::orange, "--orange"},
                                          {ink::sky, "--sky"},
                                          {ink::muted, "--muted"},
                                          {ink::rule, "--rule"}}};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

/// Everything from `from` to the next `to`, both included, goes.
void remove_between(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at; (at = text.find(from)) != std::string::npos;) {
    const std::size_t end = text.find(to, at);
    if (end == std::string::npos) return;
    text.erase(at, end + to.size() - at);
  }
}

std::string page_colour(int r, int g, int b, bool inline_svg) {
  char hex[8];
  std::snprintf(hex, sizeof hex, "#%02X%02X%02X", r & 255, g & 255, b & 255);
  if (ink::text == hex) return "currentColor";
  if (inline_svg)
    for (const auto& [colour, variable] : variables)
      if (colour == hex) return "var(" + std::string(variable) + "," + hex + ")";
  return hex;
}

/// `rgb( 0, 114, 178)` in every spelling.
void rewrite_colours(std::string& text, bool inline_svg) {
  for (std::size_t at = 0; (at = text.find("rgb(", at)) != std::string::npos;) {
    const std::size_t end = text.find(')', at);
    if (end == std::string::npos) return;
    int channel[3] = {0, 0, 0};
    const char* p = text.c_str() + at + 4;
    for (int& c : channel) {
      char* next = nullptr;
      c = static_cast<int>(std::strtol(p, &next, 10));
      p = *next == ',' ? next + 1 : next;
    }
    const std::string colour = page_colour(channel[0], channel[1], channel[2], inline_svg);
    text.replace(at, end + 1 - at, colour);
    at += colour.size();
  }
}

/// Ids and what points at them get the figure's name in front, so that several figures share a
/// page; ids that nothing points at go.
void rename_ids(std::string& text, const std::string& name) {
  for (const char quote : {'\'', '"'}) {
    const std::string key = std::string(" id=") + quote;
    for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos;) {
      const std::size_t start = at + key.size(), end = text.find(quote, start);
      if (end == std::string::npos) break;
      const std::string id = text.substr(start, end - start);
      const bool used = text.find("#" + id + "'") != std::string::npos ||
                        text.find("#" + id + "\"") != std::string::npos ||
                        text.find("#" + id + ")") != std::string::npos;
      if (used) {
        text.insert(start, name + "-");
        at = start + name.size() + 1;
      } else {
        text.erase(at, end + 1 - at);
      }
    }
  }
  replace_all(text, "xlink:href='#", "xlink:href='#" + name + "-");
  replace_all(text, "url(#", "url(#" + name + "-");
}

/// The white discs that gnuplot puts under points with error bars: the page may be dark.
void drop_white_points(std::string& text) {
  constexpr std::string_view end = " color='white'/>";
  for (std::size_t at; (at = text.find(end)) != std::string::npos;) {
    const std::size_t start = text.rfind("<use", at);
    if (start == std::string::npos) return;
    text.erase(start, at + end.size() - start);
  }
}

/// Point shapes that no point uses.
void drop_unused_shapes(std::string& text) {
  for (bool again = true; again;) {  // one shape may be made of another
    again = false;
    for (int shape = 0; shape < 16; ++shape) {
      const std::string id = shape == 15 ? "gpDot" : "gpPt" + std::to_string(shape);
      if (text.find("#" + id + "'") != std::string::npos) continue;
      const std::size_t at = text.find("id='" + id + "'");
      if (at == std::string::npos) continue;
      const std::size_t start = text.rfind('<', at), end = text.find("/>", at);
      text.erase(start, end + 2 - start);
      again = true;
    }
  }
}

/// Groups with nothing in them, which gnuplot writes at every change of pen.
void drop_empty_groups(std::string& text) {
  for (std::size_t at = text.find("</g>"); at != std::string::npos;) {
    std::size_t before = at;
    while (before > 0 && std::isspace(static_cast<unsigned char>(text[before - 1])) != 0) --before;
    const std::size_t open = text.rfind('<', before);
    const bool empty = open != std::string::npos && before > 0 && text[before - 1] == '>' &&
                       text.compare(open, 2, "<g") == 0 && text.find('>', open) == before - 1;
    if (empty) {
      text.erase(open, at + 4 - open);
      at = text.find("</g>", open);
    } else {
      at = text.find("</g>", at + 4);
    }
  }
}

void drop_blank(std::string& text) {
  std::string out;
  out.reserve(text.size());
  bool start = true;  // of a line
  for (const char c : text) {
    if (c == '\n' || (start && (c == '\t' || c == ' '))) {
      if (!start) out += '\n';
      start = true;
      continue;
    }
    start = false;
    out += c;
  }
  text = std::move(out);
}

/// Colours of the file's own, lighter where the reader's system is dark; other programs ignore it.
constexpr std::string_view own_file =
    "<style>svg{color:#1d2330;background:#fff}@media(prefers-color-scheme:dark){"
    "svg{color:#dfe3ea;background:#14171d}"
    "[stroke='#DDDDDD']{stroke:#333944}[stroke='#767676']{stroke:#969eae}"
    "[fill='#767676']{fill:#969eae}[color='#767676']{color:#969eae}"
    "[stroke='#0072B2']{stroke:#57aee6}[fill='#0072B2']{fill:#57aee6}"
    "[color='#0072B2']{color:#57aee6}[stroke='#D55E00']{stroke:#f08a4b}"
    "[color='#D55E00']{color:#f08a4b}[stroke='#009E73']{stroke:#3cc79b}"
    "[color='#009E73']{color:#3cc79b}}</style>\n";

}  // namespace

std::string polish_svg(std::string_view svg, const Figure& figure, bool inline_svg) {
  const std::size_t head = svg.find("<g "), tail = svg.rfind("</svg>");
  std::string body(svg.substr(std::min(head, svg.size()), tail - std::min(head, tail)));
  remove_between(body, "<filter", "</filter>");
  remove_between(body, "<title>", "</title>");
  remove_between(body, "<desc>", "</desc>");
  drop_white_points(body);
  drop_unused_shapes(body);
  replace_all(body, " color=\"black\"", "");
  replace_all(body, " color='black'", "");
  replace_all(body, "'black'", "'currentColor'");
  replace_all(body, "\"black\"", "\"currentColor\"");
  replace_all(body, "font-family=\"sans\"", "");
  replace_all(body, " class=\"gridline\"", "");
  rewrite_colours(body, inline_svg);
  rename_ids(body, figure.name);
  drop_empty_groups(body);
  drop_blank(body);
  if (inline_svg) replace_all(body, "xlink:href", "href");  // SVG 2: no namespace to declare

  const std::string title = figure.name + "-title", description = figure.name + "-desc";
  std::string out = inline_svg ? "" : "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
  out += "<svg xmlns=\"http://www.w3.org/2000/svg\"";
  if (!inline_svg) out += " xmlns:xlink=\"http://www.w3.org/1999/xlink\"";
  out += " class=\"figure\" role=\"img\" viewBox=\"0 0 " + std::to_string(figure.width) + " " +
         std::to_string(figure.height) + "\"";
  if (inline_svg)
    out += " style=\"max-width:" + std::to_string(figure.width * 11 / 10) + "px\"";
  else
    out += " width=\"" + std::to_string(figure.width) + "\" height=\"" +
           std::to_string(figure.height) + "\"";
  out += " font-family=\"system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif\"";
  out += " aria-labelledby=\"" + title + " " + description + "\">\n";
  out += tag("title", {{"id", title}}, escape(figure.title)) + "\n";
  out += tag("desc", {{"id", description}}, escape(figure.description)) + "\n";
  if (!inline_svg) out += own_file;
  return out + body + "</svg>\n";
}

}  // namespace seawall::report
