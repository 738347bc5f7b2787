#pragma once
// How the processes of a run find each other.
#include <vector>

#include "parallel/watch.hpp"
#include "seawall/parallel/launch.hpp"

namespace seawall::detail {

/// Connects this process with every other one: addresses go through a TCPStore of c10d at
/// Launch::host, which rank 0 serves unless the launcher does. Errors: PeerError naming a rank that
/// does not come; UsageError where nothing listens, or nothing can.
std::vector<Peer> meet(const Launch& launch);

}  // namespace seawall::detail
