#include "seawall/cli/command_line.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "seawall/core/suggest.hpp"

namespace po = boost::program_options;

namespace seawall {
namespace {

constexpr const char* kConfig = "config";
constexpr const char* kPrintConfig = "print-config";
constexpr const char* kHelp = "help";
constexpr const char* kPositional = "argument";

std::string join(const std::vector<std::string>& words, const char* by) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : by) + w;
  return out;
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
  all.add_options()(kHelp, "")(kConfig, po::value<std::string>(&config_path), "")(kPrintConfig, "");
  for (const auto& o : options_) {
    auto* many = po::value<std::vector<std::string>>();
    if (o.list) many->multitoken();
    if (o.flag) many->implicit_value({"true"}, "true")->zero_tokens();
    all.add_options()(o.name.c_str(), many, "");
    file_options.add_options()(o.name.c_str(), po::value<std::vector<std::string>>(), "");
  }
  po::positional_options_description places;
  if (positional_.out != nullptr) {
    all.add_options()(kPositional, po::value<std::string>(), "");
    places.add(kPositional, 1);
  }
  po::variables_map line, file;
  try {
    constexpr int style =
        po::command_line_style::unix_style ^ po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(all).positional(places).style(style).run(),
              line);
    po::notify(line);
  } catch (const po::unknown_option& e) {
    std::vector<std::string> names{kHelp, kConfig, kPrintConfig};
    for (const auto& o : options_) names.push_back(o.name);
    std::string name = e.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    const auto near = nearest_name(name, names);
    throw UsageError("unknown option --" + name + (near ? "; did you mean --" + *near + "?" : "") +
                     " `" + usage_.substr(0, usage_.find(' ', 8)) + " --help` lists all");
  } catch (const po::too_many_positional_options_error&) {
    throw UsageError("one argument too many; usage: " + usage_);
  } catch (const po::error& e) {
    throw UsageError(std::string(e.what()) + "; usage: " + usage_);
  }
  if (line.count(kHelp) != 0) {
    print_help();
    return Outcome::done;
  }
  if (!config_path.empty()) {
    std::ifstream in(config_path);
    if (!in) throw IoError("--config " + config_path + ": cannot open the file");
    try {
      po::store(po::parse_config_file(in, file_options), file);
    } catch (const po::error& e) {
      throw UsageError("--config " + config_path + ": " + e.what());
    }
  }
  for (auto& o : options_) {
    const auto& source = line.count(o.name) != 0 ? line : file;
    if (source.count(o.name) != 0) apply(o, source[o.name].as<std::vector<std::string>>());
  }
  for (const auto& [name, text] : presets_ ? presets_() : Presets{}) {
    for (auto& o : options_) {
      if (o.name != name || o.given) continue;
      o.set(o.name, text);
      o.value = text;
    }
  }
  if (positional_.out != nullptr) {
    if (line.count(kPositional) != 0) *positional_.out = line[kPositional].as<std::string>();
    if (positional_.required && positional_.out->empty() && line.count(kPrintConfig) == 0)
      throw UsageError("want " + positional_.name + " (" + positional_.help +
                       "); usage: " + usage_);
  }
  if (line.count(kPrintConfig) != 0) {
    std::cout << config_text();
    return Outcome::done;
  }
  return Outcome::run;
}

std::string CommandLine::config_text() const {
  std::ostringstream plain, sections;
  std::string open;
  for (const auto& o : options_) {
    const auto dot = o.name.find('.');
    if (dot == std::string::npos) {
      plain << o.name << " = " << o.value << '\n';
      continue;
    }
    const std::string section = o.name.substr(0, dot);
    if (used_ && !used_(section)) continue;
    if (section != open) sections << "\n[" << section << "]\n";
    open = section;
    sections << o.name.substr(dot + 1) << " = " << o.value << '\n';
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
