#pragma once
// Signals as flags: a run finishes its step, saves its state and stops.
#include <csignal>

#include "seawall/core/error.hpp"

namespace seawall {

/// While one lives, SIGINT and SIGTERM ask every trainer of the process to checkpoint and stop
/// (exit codes 130 and 143), SIGUSR1 asks for a checkpoint and goes on. A second SIGINT ends the
/// process at once with 130: what was published stays valid. The handlers that were there before
/// come back when it dies. One at a time a process; made by programs, never by the library.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  struct sigaction interrupt_, terminate_, user_;
};

/// SIGINT or SIGTERM where one came, else 0.
int stop_signal();
/// How many times SIGUSR1 came.
int checkpoint_requests();
/// Sets the flags as the handlers do; for hosts with handlers of their own. 0 clears them.
void request_stop(int signal);

/// 130 for SIGINT, 143 for SIGTERM.
ExitCode stop_exit_code(int signal);

}  // namespace seawall
