#include "seawall/cli/command_line.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "seawall/core/suggest.hpp"
#include "seawall/core/text.hpp"

namespace po = boost::program_options;

namespace seawall {
namespace {

constexpr const char* config = "config";
constexpr const char* print_config = "print-config";
constexpr const char* help_option = "help";
constexpr const char* argument_option = "argument";

std::string join(const std::vector<std::string>& words, const char* by) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : by) + w;
  return out;
}

struct Names {
  std::vector<std::string> all, with_value;  // of options, less their dashes
};

std::string unknown(const std::string& name, const Names& names) {
  const auto near = nearest_name(name, names.all);
  return "unknown option --" + name + (near ? "; did you mean --" + *near + "?" : "");
}

/// Errors: UsageError if an option that wants a value has the next option in its place.
void check_values(const std::vector<std::string>& arguments, const Names& names) {
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    const auto& [word, next] = std::tie(arguments[i], arguments[i + 1]);
    if (!word.starts_with("--") || !next.starts_with("--")) continue;
    const auto bare = next.substr(2, next.find('=') - 2);
    if (std::ranges::find(names.with_value, word.substr(2)) != names.with_value.end() &&
        std::ranges::find(names.all, bare) != names.all.end())
      throw UsageError(word + ": want a value, got the option " + next +
                       "; if that is the value, " + "write " + word + "=" + next);
  }
}

po::variables_map read_words(const std::vector<std::string>& arguments,
                             const po::options_description& all, const Names& names,
                             const std::string& usage) {
  check_values(arguments, names);
  po::positional_options_description places;
  places.add(argument_option, -1);
  po::variables_map line;
  try {
    constexpr int style =
        po::command_line_style::unix_style ^ po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(all).positional(places).style(style).run(),
              line);
    po::notify(line);
  } catch (const po::unknown_option& e) {
    std::string name = e.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    const auto what = unknown(name, names);
    throw UsageError(what + (what.ends_with('?') ? " `" : "; `") +
                     usage.substr(0, usage.find(' ', 8)) + " --help` lists all");
  } catch (const po::error& e) {
    throw UsageError(std::string(e.what()) + "; usage: " + usage);
  }
  return line;
}

std::string trimmed(const std::string& text) {
  const auto from = text.find_first_not_of(" \t\r"), to = text.find_last_not_of(" \t\r");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

/// `--config run.ini, line 3: `, the first line that is `wanted`, or sets the option of that name.
std::string ini_place(const std::string& path, const std::string& wanted) {
  std::ifstream in(path);
  std::string section;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line = trimmed(line.substr(0, line.find('#')));
    if (line.starts_with('[') && line.ends_with(']'))
      section = line.substr(1, line.size() - 2) + ".";
    const std::string key = trimmed(line.substr(0, line.find('=')));
    if (line == wanted || (line.size() > key.size() && section + key == wanted))
      return "--config " + path + ", line " + std::to_string(number) + ": ";
  }
  return "--config " + path + ": ";
}

po::variables_map read_ini(const std::string& path, const po::options_description& options,
                           const Names& names) {
  po::variables_map file;
  if (path.empty()) return file;
  std::ifstream in(path);
  if (!in || std::filesystem::is_directory(path))
    throw IoError("--config " + path + ": cannot open the file");
  try {
    po::store(po::parse_config_file(in, options), file);
  } catch (const po::unknown_option& e) {
    throw UsageError(ini_place(path, e.get_option_name()) + unknown(e.get_option_name(), names));
  } catch (const po::invalid_config_file_syntax& e) {
    throw UsageError(ini_place(path, e.tokens()) + "want `name = value` or [POLICY], got `" +
                     e.tokens() + "`");
  } catch (const po::error& e) {
    throw UsageError("--config " + path + ": " + e.what());
  }
  return file;
}

/// A value as an ini file keeps it: as a JSON string if reading it back would lose something
/// (spaces at its ends, `#`, line ends, quotes).
std::string ini_text(const std::string& value) {
  const bool plain = value == trimmed(value) && !value.starts_with('"') &&
                     value.find_first_of("#\r\n") == std::string::npos;
  if (plain || find_invalid_utf8(value)) return value;
  std::string out;
  for (const char c : nlohmann::json(value).dump())
    out += c == '#' ? std::string("\\u0023") : std::string(1, c);
  return out;
}

std::vector<std::string> from_ini(std::vector<std::string> values) {
  for (auto& value : values)
    if (const auto json = nlohmann::json::parse(value, nullptr, false);
        value.starts_with('"') && json.is_string())
      value = json.get<std::string>();
  return values;
}

/// Errors of `apply`, with the line of the file that they come from.
void in_ini(const std::string& path, const std::string& name, const auto& apply) {
  try {
    apply();
  } catch (const UsageError& error) {
    throw UsageError(ini_place(path, name) + error.what());
  }
}

}  // namespace

CommandLine::CommandLine(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)) {}
CommandLine::~CommandLine() = default;

void CommandLine::add_one(const std::string& group, const std::string& prefix,
                          const OptionValue& option, bool flag,
                          std::function<void(std::string_view, std::string_view)> set) {
  options_.push_back({.group = group,
                      .name = prefix + option.name,
                      .help = option.help,
                      .value = option.value,
                      .range = option.range,
                      .flag = flag,
                      .set = std::move(set)});
}

void CommandLine::add_policy(const std::string& policy, const std::vector<OptionValue>& options,
                             const std::function<void(std::string_view, std::string_view)>& set) {
  for (const auto& o : options) {
    add_one("Options of " + policy, policy + ".", o,
            false /* a policy's switch takes its value: --POLICY.name true */,
            [set, bare = o.name](std::string_view, std::string_view value) { set(bare, value); });
  }
}

void CommandLine::add_list(const std::string& name, const std::string& help, std::string& out) {
  // A list may stand in an option struct already: then that entry becomes the list.
  auto found =
      std::find_if(options_.begin(), options_.end(), [&](const One& o) { return o.name == name; });
  if (found == options_.end()) {
    options_.push_back({.group = "Options", .name = name, .help = help, .value = out, .range = ""});
    found = std::prev(options_.end());
  }
  found->list = true;
  found->set = [&out](std::string_view, std::string_view value) { out = value; };
}

void CommandLine::positional(const std::string& name, const std::string& help, std::string& out,
                             bool required) {
  positional_ = {name, help, &out, required};
}

void CommandLine::apply(One& option, const std::vector<std::string>& values) {
  const std::string text = option.list ? join(values, ",") : values.back();
  option.set(option.name, text);
  option.value = text;
  option.given = true;
}

CommandLine::Outcome CommandLine::parse(const std::vector<std::string>& arguments) {
  po::options_description all, file_options;
  std::string config_path;
  Names names{.all = {help_option, config, print_config}, .with_value = {config}};
  all.add_options()("help,h", "")(config, po::value<std::string>(&config_path), "")(print_config,
                                                                                    "");
  for (const auto& o : options_) {
    auto* many = po::value<std::vector<std::string>>();
    if (o.list) many->multitoken();
    if (o.flag) many->implicit_value({"true"}, "true")->zero_tokens();
    all.add_options()(o.name.c_str(), many, "");
    file_options.add_options()(o.name.c_str(), po::value<std::vector<std::string>>(), "");
    names.all.push_back(o.name);
    if (!o.flag) names.with_value.push_back(o.name);
  }
  all.add_options()(argument_option, po::value<std::vector<std::string>>(), "");
  const auto line = read_words(arguments, all, names, usage_);
  if (line.count(help_option) != 0) {
    print_help();
    return Outcome::done;
  }
  const auto file = read_ini(config_path, file_options, names);
  for (auto& o : options_) {
    if (line.count(o.name) != 0)
      apply(o, line[o.name].as<std::vector<std::string>>());
    else if (file.count(o.name) != 0)
      in_ini(config_path, o.name,
             [&] { apply(o, from_ini(file[o.name].as<std::vector<std::string>>())); });
  }
  for (const auto& [name, text] : presets_ ? presets_() : Presets{}) {
    for (auto& o : options_) {
      if (o.name != name || o.given) continue;
      o.set(o.name, text);
      o.value = text;
    }
  }
  take_positional(line.count(argument_option) != 0
                      ? line[argument_option].as<std::vector<std::string>>()
                      : std::vector<std::string>(),
                  line.count(print_config) == 0);
  if (line.count(print_config) != 0) {
    std::cout << config_text();
    return Outcome::done;
  }
  return Outcome::run;
}

void CommandLine::take_positional(const std::vector<std::string>& words, bool wanted) {
  const std::size_t most = positional_.out == nullptr ? 0 : 1;
  if (words.size() > most)
    throw UsageError("one argument too many: `" + words[most] + "`; usage: " + usage_);
  if (positional_.out == nullptr) return;
  if (!words.empty()) *positional_.out = words.front();
  if (wanted && positional_.required && positional_.out->empty())
    throw UsageError("want " + positional_.name + " (" + positional_.help + "); usage: " + usage_);
}

std::string CommandLine::config_text() const {
  std::ostringstream plain, sections;
  std::string open;
  for (const auto& o : options_) {
    const auto dot = o.name.find('.');
    if (dot == std::string::npos) {
      plain << o.name << " = " << ini_text(o.value) << '\n';
      continue;
    }
    const std::string section = o.name.substr(0, dot);
    if (used_ && !used_(section)) continue;
    if (section != open) sections << "\n[" << section << "]\n";
    open = section;
    sections << o.name.substr(dot + 1) << " = " << ini_text(o.value) << '\n';
  }
  return plain.str() + sections.str();
}

bool CommandLine::given(const std::string& name) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const One& o) { return o.name == name && o.given; });
}

const std::string& CommandLine::value(const std::string& name) const {
  for (const auto& o : options_)
    if (o.name == name) return o.value;
  throw std::out_of_range("no option --" + name);
}

std::vector<std::string> CommandLine::given() const {
  std::vector<std::string> names;
  for (const auto& o : options_)
    if (o.given) names.push_back(o.name);
  return names;
}

void CommandLine::print_help() const {
  std::cout << "usage: " << usage_ << "\n\n" << summary_ << "\n";
  if (positional_.out != nullptr)
    std::cout << "\n  " << positional_.name << "  " << positional_.help << "\n";
  std::string group;
  const auto show = [](const std::string& name, const std::string& help) {
    std::cout << "  --" << name
              << (name.size() < 26 ? std::string(26 - name.size(), ' ')
                                   : std::string("\n") + std::string(30, ' '))
              << help << '\n';
  };
  for (const auto& o : options_) {
    if (o.group != group) std::cout << '\n' << o.group << ":\n";
    group = o.group;
    std::string notes = o.flag || o.value.empty() ? "" : "default " + o.value;
    if (!o.range.empty() && !o.flag) notes += (notes.empty() ? "" : "; ") + o.range;
    show(o.name, o.help + (notes.empty() ? "" : " [" + notes + "]"));
  }
  std::cout << "\nEvery command:\n";
  show("config FILE.ini", "take options from a file; the command line wins");
  show("print-config", "print the options as such a file and stop");
  show("help", "this text");
}

}  // namespace seawall
