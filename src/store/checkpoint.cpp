#include "seawall/store/checkpoint.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"
#include "seawall/store/atomic_file.hpp"
#include "store/checkpoint_state.hpp"
#include "store/schema.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* manifest_name = "manifest.json";

/// The step that a folder's name says, or -1.
std::int64_t step_of(const fs::path& path) {
  const auto name = path.filename().string();
  constexpr std::string_view prefix = "step-";
  if (!name.starts_with(prefix)) return -1;
  std::int64_t step = -1;
  const auto* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, step);
  return error == std::errc() && stop == end ? step : -1;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

/// Compares every file of the manifest with its size and hash.
/// Errors: IoError, DataError naming the file that differs.
std::vector<std::string> verify(const fs::path& folder) {
  const auto path = folder / manifest_name;
  const auto manifest = parse_json(read_file(path, 1 << 24), path.string());
  const auto bad = [&](const std::string& what) { return DataError(path.string() + ": " + what); };
  if (!manifest.is_object() || manifest.value("format", json()) != "seawall-checkpoint")
    throw bad("want a manifest of a Seawall checkpoint");
  const auto version = manifest.value("format_version", json());
  const auto newest = checkpoint_schema().version;  // 1: the whole state in one file, bf16 widened
  if (version != newest && version != 1)
    throw bad("want format version 1 or " + std::to_string(newest) +
              "; read it with the Seawall that wrote it");
  const auto files = manifest.find("files");
  if (files == manifest.end() || !files->is_object()) throw bad("want an object `files`");
  std::vector<std::string> names;
  for (const auto& [name, entry] : files->items()) {
    if (!is_plain_name(name)) throw bad("`files` names something that is not a plain file name");
    const auto size = entry.is_object() ? entry.value("bytes", json()) : json();
    const auto hash = entry.is_object() ? entry.value("sha256", json()) : json();
    if (!size.is_number_unsigned() || !hash.is_string())
      throw bad("an entry lacks bytes or sha256");
    const auto file = folder / name;
    std::error_code code;
    const auto found = fs::file_size(file, code);
    if (code) throw DataError(file.string() + ": the file of the manifest is missing");
    if (found != size.get<std::uint64_t>())
      throw DataError(file.string() + ": want " + size.dump() + " bytes, found " +
                      std::to_string(found) + ": the file was cut or changed");
    const MappedFile mapped(file);
    if (sha256_hex(mapped.bytes()) != hash.get<std::string>())
      throw DataError(file.string() + ": the content does not match the SHA-256 of " +
                      manifest_name + ": the file was damaged or changed");
    names.push_back(name);
  }
  if (std::find(names.begin(), names.end(), state_file_name) == names.end())
    throw bad(std::string("`files` does not name ") + state_file_name);
  return names;
}

CheckpointState load_one(const fs::path& folder, bool everything) {
  const auto names = verify(folder);
  auto state = read_state(folder, names, everything);
  for (const auto& name : names) {
    if (!is_state_file(name)) state.files[name] = read_file(folder / name);
  }
  return state;
}

LoadedCheckpoint load(const fs::path& path, bool everything) {
  std::error_code code;
  if (fs::exists(path / manifest_name, code) || step_of(path) >= 0)
    return {load_one(path, everything), path, {}};
  const auto steps = list_checkpoints(path);
  if (steps.empty())
    throw DataError(path.string() +
                    ": there is no checkpoint (step-N) in it; give --out of a run "
                    "that made one, or start without --resume");
  LoadedCheckpoint loaded;
  for (const auto step : steps) {
    loaded.path = path / ("step-" + std::to_string(step));
    try {
      loaded.state = load_one(loaded.path, everything);
      return loaded;
    } catch (const Error& error) {
      loaded.skipped.emplace_back(error.what());
    }
  }
  throw DataError(path.string() + ": none of its " + std::to_string(steps.size()) +
                  " checkpoints is valid; the newest: " + loaded.skipped.front());
}

void prune(const fs::path& folder, std::int64_t newest, int keep) {
  int kept = 0;
  for (const auto step : list_checkpoints(folder)) {
    if (step <= newest && kept < std::max(keep, 1)) {
      ++kept;
      continue;
    }
    // Renamed first: a kill in the middle leaves a name that no reader looks at.
    const auto name = "step-" + std::to_string(step);
    const auto doomed = folder / (name + ".tmp-" + std::to_string(::getpid()));
    fs::rename(folder / name, doomed);
    fs::remove_all(doomed);
  }
}

void remove_all_temporaries(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    if (entry->path().filename().string().find(".tmp-") != std::string::npos)
      found.push_back(entry->path());
  }
  for (const auto& path : found) fs::remove_all(path, code);
}

}  // namespace

fs::path save_checkpoint(const fs::path& folder, const CheckpointState& state, int keep,
                         std::uint64_t shard_bytes) {
  prepare_folder(folder);
  remove_all_temporaries(folder);
  const auto name = "step-" + std::to_string(state.step);
  auto target = folder / name;
  const auto temporary = folder / (name + ".tmp-" + std::to_string(::getpid()));
  try {
    prepare_folder(temporary);
    json files = json::object();
    const auto put = [&](const std::string& file, std::string_view bytes) {
      write_file_atomically(temporary / file, bytes);
      files[file] = {{"bytes", bytes.size()}, {"sha256", sha256_hex(bytes)}};
    };
    write_state(state, shard_bytes, put);
    for (const auto& [file, bytes] : state.files) {
      if (!is_plain_name(file) || is_state_file(file) || file == manifest_name)
        throw RunError(file + ": a checkpoint cannot hold a file of this name");
      put(file, bytes);
    }
    const json manifest = {{"format", "seawall-checkpoint"},
                           {"format_version", checkpoint_schema().version},
                           {"step", state.step},
                           {"config_hash", state.config_hash},
                           {"files", files}};
    write_file_atomically(temporary / manifest_name, manifest.dump(2) + "\n");
    publish_folder(temporary, target);
    write_file_atomically(folder / "latest", name + "\n");
    prune(folder, state.step, keep);
  } catch (const fs::filesystem_error& error) {
    throw IoError(folder.string() + ": cannot prune checkpoints: " + error.code().message());
  } catch (...) {
    std::error_code code;
    fs::remove_all(temporary, code);
    throw;
  }
  return target;
}

LoadedCheckpoint load_checkpoint(const fs::path& path) { return load(path, true); }
LoadedCheckpoint load_checkpoint_parameters(const fs::path& path) { return load(path, false); }

std::size_t verify_checkpoint(const fs::path& path) { return verify(path).size(); }

bool is_checkpoint(const fs::path& path) {
  std::error_code code;
  return fs::exists(path / manifest_name, code) || !list_checkpoints(path).empty();
}

std::vector<std::int64_t> list_checkpoints(const fs::path& folder) {
  std::vector<std::int64_t> steps;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const auto step = step_of(entry->path());
    if (step >= 0) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  return steps;
}

}  // namespace seawall
