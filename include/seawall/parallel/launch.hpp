#pragma once
// What a launcher says of this process: torchrun's variables, or Slurm's.
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace seawall {

/// One of several processes that train one model.
struct Launch {
  int rank = 0, ranks = 1;              // of all, on all machines
  int local_rank = 0, local_ranks = 1;  // of those on this machine
  std::string host;                     // where the processes meet
  int port = 29500;
  bool store_is_there = false;  // the launcher itself listens there (torchrun's agent)
  std::string name;             // of this start, so that an earlier one is not taken for it
  /// Seconds without a sign of life after which another process counts as lost; four times as long
  /// for all of them to come. SEAWALL_PEER_SECONDS.
  int patience = 30;
};

/// RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT as torchrun sets
/// them; without WORLD_SIZE what srun sets: SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID and the first
/// host of SLURM_NODELIST. None: this process is alone. `variable` is std::getenv. Errors:
/// UsageError naming the variable that is missing or no number.
std::optional<Launch> launch_of(const std::function<const char*(const char*)>& variable);

/// The first host of a list as Slurm writes it: `node[07-09,12],gpu1` -> `node07`.
std::string first_host(std::string_view list);

}  // namespace seawall
