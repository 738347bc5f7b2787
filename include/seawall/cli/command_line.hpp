#pragma once
// Command line and ini file into option structs, by Boost.Program_options.
#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/options.hpp"

namespace seawall {

/// The options of one command. A value comes from the command line, else from `--config FILE.ini`,
/// else from its default.
class CommandLine {
 public:
  CommandLine(std::string usage, std::string summary);
  ~CommandLine();

  /// Options of a struct with a `visit` list, under their own names.
  template <class Options>
  void add(Options& options, const std::string& group) {
    const auto values = list_options(options);
    std::size_t i = 0;
    Options::visit(options, [&]<class T>(T&, const OptionInfo&) {
      add_one(group, "", values[i++], std::same_as<T, bool>,
              [&options](std::string_view name, std::string_view value) {
                set_option(options, "", name, value);
              });
    });
  }
  /// Options of a policy as `--POLICY.name`, given as text to `set` when they occur.
  void add_policy(const std::string& policy, const std::vector<OptionValue>& options,
                  const std::function<void(std::string_view name, std::string_view value)>& set);
  /// A list option: `--name A B C`, given more than once, or separated by commas; joined by commas.
  void add_list(const std::string& name, const std::string& help, std::string& out);
  /// The single argument without dashes; required unless it has a default already.
  void positional(const std::string& name, const std::string& help, std::string& out,
                  bool required = true);

  /// Values, by full option name, that options which were not given take; asked after those that
  /// were given are in place.
  using Presets = std::vector<std::pair<std::string, std::string>>;
  void presets(std::function<Presets()> values) { presets_ = std::move(values); }

  enum class Outcome { run, done };
  /// Fills everything. `done` after --help and --print-config, which print to stdout. Errors:
  /// UsageError naming the option and what was wanted; IoError where the ini file cannot be read.
  Outcome parse(const std::vector<std::string>& arguments);

  /// Every option with its value after `parse`, as `name = value` lines in ini sections.
  std::string config_text() const;
  /// Leaves the sections of policies that `used` denies out of config_text; asked after the options
  /// were applied.
  void show_sections(std::function<bool(const std::string& policy)> used) {
    used_ = std::move(used);
  }
  /// Names that were given on the command line or in the ini file.
  bool given(const std::string& name) const;
  std::vector<std::string> given() const;
  /// The value of an option as text. Errors: std::out_of_range for a name that is none.
  const std::string& value(const std::string& name) const;

 private:
  struct One {
    std::string group, name, help, value, range;
    bool flag = false, list = false;
    std::function<void(std::string_view, std::string_view)> set;
    bool given = false;
  };
  void add_one(const std::string& group, const std::string& prefix, const OptionValue& option,
               bool flag, std::function<void(std::string_view, std::string_view)> set);
  void print_help() const;
  /// Errors: UsageError for a word too many, or for none if one is wanted.
  void take_positional(const std::vector<std::string>& words, bool wanted);
  void apply(One& option, const std::vector<std::string>& values);

  std::string usage_, summary_;
  std::vector<One> options_;
  std::function<bool(const std::string&)> used_;
  std::function<Presets()> presets_;
  struct Positional {
    std::string name, help;
    std::string* out = nullptr;
    bool required = true;
  } positional_;
};

}  // namespace seawall
