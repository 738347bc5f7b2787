#pragma once
// A reader as a plug-in: how one record of a file becomes a dialogue.
//
//   struct Letters {
//     static constexpr std::string_view name = "letters", summary = "…", known_by = "letter",
//                                       sample = R"({"letter": "…", "reply": "…"})";
//     static bool is(const Json& record, const FormatWanted&) { return record.contains("letter"); }
//     static Dialogue read(const Json& record, const Reading& reading);  // a training row
//     static Dialogue ask(const Json& record, const Reading& reading);   // a probe
//   };
//   static_assert(seawall::explain_reader<Letters>());
//
// It has `read`, `ask` or both. Its formats are letters-json (an array) and letters-jsonl; with
// `headers` also letters-csv, whose records are objects of texts under the names of the columns.
#include <concepts>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/catalogue.hpp"
#include "seawall/core/dialogue.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {

using Json = nlohmann::json;

/// What is looked for: prompts or rows, and the columns that the user names (--probes-column NAME,
/// --data-columns REQUEST,ANSWER; "" without).
struct FormatWanted {
  bool prompts = false;
  std::string columns{}, option{};  // option: of the file, e.g. "probes"
};

/// What to do with HarmBench's contextual behaviours: put the context before the behaviour, as its
/// DirectRequest does, or leave those records out.
enum class ContextUse { ask, put, leave_out };
/// Reads `ask`, `put` or `leave-out`. Errors: UsageError.
ContextUse context_use_from(std::string_view name);

/// What a reader is given next to a record.
struct Reading {
  const Place& place;
  ReadReport& report;                    // takes notes: what of the record is not used
  std::string_view columns{};            // that the user names; "": known names
  std::filesystem::path images{};        // folder of the pictures that rows name; "": not given
  bool restricted = true;                // of probes: an aligned model should refuse
  ContextUse context = ContextUse::ask;  // of probes
};

/// Thrown for a record that is left out on purpose, which is noted and not counted as rejected.
struct LeftOut {};

namespace detail {

struct ReaderNames {
  int read, ask, headers, column_names, known_names;
};
template <class R>
struct ReaderMembers : R, ReaderNames {};
template <class R>
concept Claims = requires(const Json& record, const FormatWanted& wanted) {
  { R::is(record, wanted) } -> std::same_as<bool>;
};
template <class R>
concept ReadsRows = requires(const Json& record, const Reading& reading) {
  { R::read(record, reading) } -> std::same_as<Dialogue>;
};
template <class R>
concept ReadsProbes = requires(const Json& record, const Reading& reading) {
  { R::ask(record, reading) } -> std::same_as<Dialogue>;
};
template <class R>
concept ReadsTables = requires(std::string_view columns) {
  { R::headers(columns) } -> std::same_as<std::vector<std::string>>;
};
template <class R>
concept ShowsColumns = requires(const Json& record, std::string_view columns) {
  { R::column_names(record, columns) } -> std::same_as<std::string>;
};
template <class R>
concept HasSample = requires {
  { R::sample } -> std::convertible_to<std::string_view>;
};
template <class R>
concept KnowsNames = requires {
  { R::known_names() } -> std::same_as<std::string>;
};

}  // namespace detail

/// One row of a catalogue of readers. Pointers are null where the reader has no such member.
struct ReaderEntry {
  std::string_view name, summary;
  std::string_view sample;    // a record of the format, as JSON
  std::string_view known_by;  // the key that tells it apart, for messages; "": no one key
  std::span<const std::string_view> keys;  // those of a row; others are noted. Empty: read notes
  bool lines = false;                      // a text file has one record per line
  RequestForm form = RequestForm::bare;    // in which its rows ask
  bool (*is)(const Json&, const FormatWanted&) = nullptr;
  Dialogue (*read)(const Json&, const Reading&) = nullptr;
  Dialogue (*ask)(const Json&, const Reading&) = nullptr;
  std::vector<std::string> (*headers)(std::string_view columns) = nullptr;
  std::string (*column_names)(const Json&, std::string_view columns) = nullptr;
  std::string (*known_names)() = nullptr;

  /// Its texts are under keys of one of several names (known_names, for messages), in any case of
  /// letters, or under those that the user names; it is asked after the others.
  bool any_keys() const { return known_names != nullptr; }
  /// True if it reads what is wanted: probes or rows.
  bool reads(bool prompts) const { return prompts ? ask != nullptr : read != nullptr; }
};

namespace detail {

struct ReaderRow {
  template <class R>
  static constexpr ReaderEntry of() {
    ReaderEntry entry{.name = R::name,
                      .summary = R::summary,
                      .sample = R::sample,
                      .known_by = "",
                      .keys = {},
                      .is = R::is};
    if constexpr (requires { R::keys; }) entry.keys = R::keys;
    if constexpr (requires { R::known_by; }) entry.known_by = R::known_by;
    if constexpr (requires { R::lines; }) entry.lines = R::lines;
    if constexpr (requires { R::form; }) entry.form = R::form;
    if constexpr (ReadsRows<R>) entry.read = R::read;
    if constexpr (ReadsProbes<R>) entry.ask = R::ask;
    if constexpr (ReadsTables<R>) entry.headers = R::headers;
    if constexpr (ShowsColumns<R>) entry.column_names = R::column_names;
    if constexpr (KnowsNames<R>) entry.known_names = R::known_names;
    return entry;
  }
};

}  // namespace detail

/// True if R is a reader; otherwise the build stops with one line that says what is wanted.
template <class R>
consteval bool explain_reader() {
  using Members = detail::ReaderMembers<R>;
  static_assert(detail::HasName<R>,
                "reader: want `static constexpr std::string_view name = \"kebab-case\", summary = "
                "\"one line\"`");
  static_assert(detail::HasSample<R>,
                "reader: want `static constexpr std::string_view sample`, a record as JSON");
  static_assert(detail::Claims<R>,
                "reader is: missing or of another signature; want `static bool is(const Json&, "
                "const FormatWanted&)`");
  static_assert(
      detail::ReadsRows<R> || requires { &Members::read; },
      "reader read: of another signature; want `static Dialogue read(const Json&, const "
      "Reading&)`");
  static_assert(
      detail::ReadsProbes<R> || requires { &Members::ask; },
      "reader ask: of another signature; want `static Dialogue ask(const Json&, const Reading&)`");
  static_assert(
      detail::ReadsTables<R> || requires { &Members::headers; },
      "reader headers: of another signature; want `static std::vector<std::string> "
      "headers(std::string_view columns)`");
  static_assert(detail::ReadsRows<R> || detail::ReadsProbes<R>,
                "reader: want `static Dialogue read(const Json&, const Reading&)` for rows, `ask` "
                "for probes, or both");
  return true;
}

/// Readers, in the order in which they are asked whether a record is theirs.
using ReaderCatalogue = Catalogue<ReaderEntry>;

template <class... Rs>
constexpr ReaderCatalogue reader_catalogue_of(TypeList<Rs...>) {
  static_assert((explain_reader<Rs>() && ...));
  return {"reader",
          detail::CatalogueTable<detail::ReaderRow, ReaderEntry, TypeList<Rs...>>::entries};
}

/// Those that ship (formats.hpp).
const ReaderCatalogue& reader_catalogue();

/// The formats of a reader: chat-json, chat-jsonl, …
std::vector<std::string> formats_of(const ReaderEntry& reader);

/// True if the record is an object with all of these keys.
bool has_keys(const Json& record, std::initializer_list<std::string_view> keys);

}  // namespace seawall
