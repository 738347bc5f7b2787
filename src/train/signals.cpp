#include "seawall/train/signals.hpp"

#include <unistd.h>

#include <atomic>

namespace seawall {
namespace {

// Lock-free atomics may be used in handlers and, unlike sig_atomic_t, by several trainer threads.
std::atomic<int> stopping{0}, requests{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void seawall_on_signal(int signal) {
  if (signal == SIGUSR1) {
    requests.fetch_add(1);
    return;
  }
  int none = 0;
  if (!stopping.compare_exchange_strong(none, signal) && signal == SIGINT)
    _exit(static_cast<int>(ExitCode::interrupted));
}

void install(int signal, struct sigaction& old) {
  struct sigaction action {};
  action.sa_handler = seawall_on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // no write of a checkpoint ends half-way with EINTR
  sigaction(signal, &action, &old);
}

}  // namespace

SignalGuard::SignalGuard() {
  request_stop(0);
  install(SIGINT, interrupt_);
  install(SIGTERM, terminate_);
  install(SIGUSR1, user_);
}

SignalGuard::~SignalGuard() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  sigaction(SIGUSR1, &user_, nullptr);
}

int stop_signal() { return stopping.load(); }
int checkpoint_requests() { return requests.load(); }
void request_stop(int signal) { stopping.store(signal); }

ExitCode stop_exit_code(int signal) {
  return signal == SIGTERM ? ExitCode::terminated : ExitCode::interrupted;
}

}  // namespace seawall
