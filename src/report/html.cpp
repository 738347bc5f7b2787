#include "report/html.hpp"

#include <cctype>
#include <cmath>
#include <cstdio>

#include "seawall/core/text.hpp"

namespace seawall::report {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
      case '\t':
        out += c;
        break;
      default:
        if (byte < 0x20) {  // XML has no word for them; U+2400 + byte is their picture
          out += "\xe2\x90";
          out += static_cast<char>(0x80 + byte);
        } else if (byte == 0x7f) {
          out += "\xe2\x90\xa1";
        } else {
          out += c;
        }
    }
  }
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const auto bad = find_invalid_utf8(text);
    const std::string_view good = text.substr(0, bad.value_or(text.size()));
    // U+FFFE and U+FFFF are UTF-8, but no XML.
    for (std::string_view rest = good; !rest.empty();) {
      std::size_t at = rest.find("\xef\xbf\xbe");
      at = std::min(at, rest.find("\xef\xbf\xbf"));
      append_escaped(out, rest.substr(0, at));
      if (at == std::string_view::npos) break;
      out += "\xef\xbf\xbd";
      rest.remove_prefix(at + 3);
    }
    if (!bad) break;
    out += "\xef\xbf\xbd";
    text.remove_prefix(*bad + 1);
  }
  return out;
}

std::string tag(std::string_view name, Attributes attributes, std::string_view markup) {
  std::string out = "<";
  out += name;
  for (const auto& [key, value] : attributes) {
    if (value.empty() && key != "open" && key != "alt") continue;
    out += ' ';
    out += key;
    out += "=\"";
    out += escape(value);
    out += '"';
  }
  out += '>';
  out += markup;
  out += "</";
  out += name;
  out += '>';
  return out;
}

std::string tag(std::string_view name, std::string_view markup) { return tag(name, {}, markup); }

std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0)
      out += static_cast<char>(std::tolower(byte));
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "x" : out;
}

std::string number(double value, int digits) {
  if (std::isnan(value)) return "\xe2\x80\x93";
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, std::abs(value));
  const bool zero = std::string_view(text).find_first_not_of("0.") == std::string_view::npos;
  return (value < 0 && !zero ? "\xe2\x88\x92" : "") + std::string(text);
}

std::string percent(double share) { return number(100 * share, 1); }

std::string percent_interval(const Estimate& e) {
  if (std::isnan(e.lo) || std::isnan(e.hi)) return "";
  return "[" + percent(e.lo) + ", " + percent(e.hi) + "]";
}

std::string count(double value) {
  if (std::isnan(value)) return "\xe2\x80\x93";
  char text[64];
  std::snprintf(text, sizeof text, "%.0f", value);
  std::string out = text;
  for (std::size_t at = out.size();
       at > 3 && std::isdigit(static_cast<unsigned char>(out[at - 4])) != 0;) {
    at -= 3;
    out.insert(at, "\xe2\x80\xaf");
  }
  return out;
}

std::string p_value(double p) {
  if (std::isnan(p)) return "p unknown";
  if (p < 0.001) return "p < 0.001";
  char text[32];
  std::snprintf(text, sizeof text, p < 0.1 ? "p = %.3f" : "p = %.2f", std::min(p, 1.0));
  return text;
}

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " and " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace seawall::report
