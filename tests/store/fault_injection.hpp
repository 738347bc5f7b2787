#pragma once
// Faults in the operations by which files are published: write, pwrite, fsync, rename, mkdir,
// open(O_CREAT).

#include <functional>
#include <string>
#include <vector>

namespace seawall::faults {

enum class Kind { eio, enospc, kill, eintr, short_write };

/// From now on the `call`-th operation (from 1; 0: none) fails, and where `always` every later one.
/// Counting starts anew.
void arm(long call, Kind how, bool always);
/// Operations since arm().
long count();

/// What fsync, rename and writing were called with, in order.
struct Operation {
  std::string what;  // `write`, `fsync`, `rename`
  std::string path;  // of a rename: where from
  std::string to = {};
};
/// Runs `work` and returns what it did.
std::vector<Operation> recorded(const std::function<void()>& work);

}  // namespace seawall::faults
