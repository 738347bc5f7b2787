#include "parallel/watch.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "seawall/parallel/world.hpp"

namespace seawall::detail {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Words of the control connections; from 0 on the rank of a process that was lost.
constexpr std::int32_t beat = -1, leaving = -2;
constexpr auto between_beats = 500ms, look_every = 100ms;

}  // namespace

Watch::Watch(const std::vector<Peer>& peers, int rank, std::chrono::milliseconds patience)
    : peers_(peers),
      rank_(static_cast<std::size_t>(rank)),
      patience_(patience),
      seen_(peers.size()) {
  sigset_t all, before;  // signals are the main thread's
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watch::~Watch() {
  stopping_ = true;
  thread_.join();
  send(leaving);
  // A connection that is closed with something unread in it loses what was sent last.
  char unread[256];
  for (const Peer& peer : peers_) {
    if (!peer.control) continue;
    ::shutdown(peer.control.get(), SHUT_WR);
    while (::recv(peer.control.get(), unread, sizeof unread, MSG_DONTWAIT) > 0) {
    }
  }
}

void Watch::send(std::int32_t word) const {
  for (const Peer& peer : peers_)  // one that does not read is seen by its silence
    if (peer.control)
      (void)!::send(peer.control.get(), &word, sizeof word, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Watch::watch() {
  auto looked = Clock::now(), sent = looked - between_beats;
  std::vector<pollfd> files(peers_.size());
  while (!stopping_) {
    for (std::size_t p = 0; p < peers_.size(); ++p)
      files[p] = {seen_[p].left ? -1 : peers_[p].control.get(), POLLIN, 0};
    ::poll(files.data(), files.size(), static_cast<int>(look_every.count()));
    const auto now = Clock::now();
    if (now - sent >= between_beats) send(beat), sent = now;
    // While this process is stopped nobody's silence can be heard.
    const auto passed =
        std::min(std::chrono::duration_cast<std::chrono::milliseconds>(now - looked), 1000ms);
    looked = now;
    for (std::size_t p = 0; p < peers_.size(); ++p) {
      if (!peers_[p].control || seen_[p].left) continue;
      seen_[p].silent += passed;
      if (files[p].revents != 0) read(p);
      if (!seen_[p].left && seen_[p].silent > patience_)
        lose(p,
             "it has given no sign of life for " + std::to_string(patience_.count() / 1000) + " s");
    }
  }
}

void Watch::read(std::size_t p) {
  Seen& seen = seen_[p];
  char bytes[256];
  const auto got = ::recv(peers_[p].control.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    seen.left = true;
    return lose(p, "its connection closed");
  }
  seen.silent = 0ms;
  seen.unread.append(bytes, static_cast<std::size_t>(got));
  std::int32_t word = 0;
  for (; seen.unread.size() >= sizeof word && !seen.left; seen.unread.erase(0, sizeof word)) {
    std::memcpy(&word, seen.unread.data(), sizeof word);
    if (word == leaving) seen.left = true;
    const auto other = static_cast<std::size_t>(word);
    if (word >= 0 && other < peers_.size() && other != rank_)
      lose(other, peers_[p].name + " says so");
  }
}

void Watch::lose(std::size_t peer, const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return;
    why_ = peers_[peer].name + " was lost: " + why +
           "; the last checkpoint is whole: start all processes again with --resume";
    lost_ = true;
  }
  send(static_cast<std::int32_t>(peer));
}

void Watch::check() const {
  if (!lost_) return;
  const std::lock_guard lock(mutex_);
  throw PeerError(why_);
}

void Watch::closed(int peer) const {
  // The control connection tells whether it left, was lost, or lost another one before.
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(look_every);
    check();
  }
  throw PeerError(peers_.at(static_cast<std::size_t>(peer)).name +
                  " ended before the others, its own message says why");
}

}  // namespace seawall::detail
