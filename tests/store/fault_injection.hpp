#pragma once
// Faults in the operations by which files are published: write, pwrite, fsync, rename, mkdir,
// open(O_CREAT).

namespace seawall::faults {

enum class Kind { eio, enospc, kill, eintr, short_write };

/// From now on the `call`-th operation (from 1; 0: none) fails, and where `always` every later one.
/// Counting starts anew.
void arm(long call, Kind how, bool always);
/// Operations since arm().
long count();

}  // namespace seawall::faults
