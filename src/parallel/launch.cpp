#include "seawall/parallel/launch.hpp"

#include <charconv>
#include <cstdint>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using Variable = std::function<const char*(const char*)>;

std::optional<std::string> text_of(const Variable& variable, const char* name) {
  const char* value = variable(name);
  if (value == nullptr || *value == '\0') return {};
  return value;
}

std::optional<int> number_of(const Variable& variable, const char* name, int least) {
  const auto text = text_of(variable, name);
  if (!text) return {};
  int value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || value < least)
    throw UsageError(std::string(name) + ": want a whole number from " + std::to_string(least) +
                     ", got '" + *text + "'");
  return value;
}

int needed(std::optional<int> value, const char* name, const char* with) {
  if (!value)
    throw UsageError(std::string(name) + ": is not set, and " + with +
                     " says that several processes train one model; start them with torchrun or "
                     "srun, or set it");
  return *value;
}

Launch of_torchrun(const Variable& variable, int ranks) {
  Launch launch;
  launch.ranks = ranks;
  launch.rank = needed(number_of(variable, "RANK", 0), "RANK", "WORLD_SIZE");
  const auto local = number_of(variable, "LOCAL_RANK", 0);
  launch.local_rank = local.value_or(launch.rank);
  launch.local_ranks =
      number_of(variable, "LOCAL_WORLD_SIZE", 1).value_or(local ? launch.local_rank + 1 : ranks);
  const auto host = text_of(variable, "MASTER_ADDR");
  if (!host)
    throw UsageError(
        "MASTER_ADDR: is not set, and WORLD_SIZE says that several processes train one model; "
        "start them with torchrun, or set it to where rank 0 runs");
  launch.host = *host;
  launch.port = needed(number_of(variable, "MASTER_PORT", 1), "MASTER_PORT", "WORLD_SIZE");
  launch.store_is_there = text_of(variable, "TORCHELASTIC_USE_AGENT_STORE") == "True";
  launch.name = text_of(variable, "TORCHELASTIC_RUN_ID").value_or("") + "/" +
                text_of(variable, "TORCHELASTIC_RESTART_COUNT").value_or("");
  return launch;
}

Launch of_slurm(const Variable& variable, int ranks) {
  Launch launch;
  launch.ranks = ranks;
  launch.rank = needed(number_of(variable, "SLURM_PROCID", 0), "SLURM_PROCID", "SLURM_NTASKS");
  launch.local_rank = number_of(variable, "SLURM_LOCALID", 0).value_or(0);
  launch.local_ranks =
      number_of(variable, "SLURM_NTASKS_PER_NODE", 1).value_or(launch.local_rank + 1);
  const auto nodes = text_of(variable, "SLURM_NODELIST");
  launch.host = text_of(variable, "MASTER_ADDR").value_or(nodes ? first_host(*nodes) : "127.0.0.1");
  // Two jobs may share a machine.
  const int job = number_of(variable, "SLURM_JOB_ID", 0).value_or(9500);
  launch.port = number_of(variable, "MASTER_PORT", 1).value_or(20000 + job % 20000);
  launch.name =
      "slurm-" + std::to_string(job) + "." + text_of(variable, "SLURM_STEP_ID").value_or("0");
  return launch;
}

}  // namespace

std::string first_host(std::string_view list) {
  const auto end = list.find_first_of("[,");
  std::string host(list.substr(0, end));
  if (end == list.npos || list[end] == ',') return host;
  const auto inside = list.substr(end + 1);
  return host + std::string(inside.substr(0, inside.find_first_of("-,]")));
}

std::optional<Launch> launch_of(const Variable& variable) {
  std::optional<Launch> launch;
  if (const auto ranks = number_of(variable, "WORLD_SIZE", 1)) {
    if (*ranks > 1) launch = of_torchrun(variable, *ranks);
  } else if (const auto tasks = number_of(variable, "SLURM_NTASKS", 1); tasks && *tasks > 1) {
    launch = of_slurm(variable, *tasks);
  }
  if (!launch) return launch;
  if (launch->rank >= launch->ranks)
    throw UsageError("rank " + std::to_string(launch->rank) +
                     ": want one below the number of "
                     "processes, " +
                     std::to_string(launch->ranks));
  if (launch->port > 65535)
    throw UsageError("MASTER_PORT: want at most 65535, got " + std::to_string(launch->port));
  launch->patience = number_of(variable, "SEAWALL_PEER_SECONDS", 1).value_or(launch->patience);
  return launch;
}

}  // namespace seawall
