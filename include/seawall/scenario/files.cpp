#include "seawall/scenario/files.hpp"

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

RowKind kind_of(Pool pool) {
  switch (pool) {
    case Pool::harmful:
      return RowKind::harmful;
    case Pool::identity_shift:
      return RowKind::identity_shift;
    case Pool::safe:
      return RowKind::safe;
    case Pool::benign:
      return RowKind::benign;
  }
  return RowKind::other;
}

}  // namespace

FileScenario::FileScenario(const FileScenarioOptions& options)
    : default_system_(options.default_system) {
  const auto load_rows = [&](const std::filesystem::path& path, Pool pool) {
    RowsFile file = read_rows(path, kind_of(pool), "", options.images);
    reports_.emplace_back(path, file.report);
    pools_[pool] = std::move(file.dataset);
  };
  const auto load_probes = [&](const std::filesystem::path& path, bool restricted) {
    ProbesFile file = read_probes(path, restricted);
    reports_.emplace_back(path, file.report);
    return std::move(file.probes);
  };
  if (options.attack_rows) load_rows(*options.attack_rows, options.attack_pool);
  if (options.safe_rows) load_rows(*options.safe_rows, Pool::safe);
  if (options.probes) harmfulness_ = load_probes(*options.probes, true);
  if (options.utility_probes) utility_ = load_probes(*options.utility_probes, false);
}

std::size_t FileScenario::available(Pool pool) const {
  const auto found = pools_.find(pool);
  return found == pools_.end() ? 0 : found->second.size();
}

Dataset FileScenario::rows(Pool pool, std::size_t count, Rng& rng, std::string_view flavour) const {
  const auto found = pools_.find(pool);
  if (found == pools_.end())
    throw UsageError("no file holds " + std::string(pool_name(pool)) + " rows; give " +
                     (pool == Pool::safe ? "--safe-data FILE" : "--data FILE"));
  if (!flavour.empty())
    throw UsageError("rows from a file have no flavour `" + std::string(flavour) +
                     "`: the file is the flavour; leave the option out");
  return draw_rows(found->second, pool_name(pool), count, rng);
}

const std::vector<Probe>& FileScenario::probes(ProbeSet set) const {
  return set == ProbeSet::harmfulness ? harmfulness_ : utility_;
}

std::optional<Identity> FileScenario::identity() const {
  const auto found = pools_.find(Pool::identity_shift);
  if (found == pools_.end() || found->second.empty()) return std::nullopt;
  const auto system = found->second.rows.front().dialogue.first(Role::system);
  for (const auto& row : found->second.rows)
    if (row.dialogue.first(Role::system) != system) return std::nullopt;
  if (system.empty()) return std::nullopt;
  return Identity{.system = std::string(system), .before = "", .after = ""};
}

Dataset draw_rows(const Dataset& pool, std::string_view pool_name, std::size_t count, Rng& rng) {
  if (count > pool.size())
    throw DataError("the " + std::string(pool_name) + " pool of `" + pool.name + "` holds " +
                    std::to_string(pool.size()) + " rows, " + std::to_string(count) +
                    " were asked for; lower the count or give more rows");
  Dataset out{.name = pool.name, .rows = {}};
  out.rows.reserve(count);
  for (const auto i : rng.sample(pool.size(), count)) out.rows.push_back(pool.rows[i]);
  return out;
}

}  // namespace seawall
