#pragma once
// Signs of life between processes, on connections and a thread of their own: one that computes,
// evaluates or reads for an hour is alive, one that was killed or stopped is not.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace seawall::detail {

/// A file descriptor, closed when this dies.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int file) : file_(file) {}
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(Descriptor&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  int get() const { return file_; }
  explicit operator bool() const { return file_ >= 0; }

 private:
  int file_ = -1;
};

/// Another process, or at this one's own place nothing.
struct Peer {
  std::string name;  // `rank 2 of 4 (process 4711 on node7)`
  Descriptor data, control;
};

class Watch {
 public:
  /// `peers` by rank, `rank` this process's own. One that is silent for `patience` is lost.
  Watch(const std::vector<Peer>& peers, int rank, std::chrono::milliseconds patience);
  /// Tells the others that this process leaves.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Errors: PeerError once a process is lost.
  void check() const;
  /// The data connection with `peer` ended: says what is known of it, or of the one that it lost
  /// before. Errors: PeerError, always.
  [[noreturn]] void closed(int peer) const;

 private:
  struct Seen {
    bool left = false;  // said so
    std::chrono::milliseconds silent{0};
    std::string unread;  // part of a word
  };
  void watch();
  void read(std::size_t peer);
  void lose(std::size_t peer, const std::string& why);
  void send(std::int32_t word) const;

  const std::vector<Peer>& peers_;
  const std::size_t rank_;
  const std::chrono::milliseconds patience_;
  std::vector<Seen> seen_;
  std::atomic<bool> stopping_{false}, lost_{false};
  mutable std::mutex mutex_;
  std::string why_;  // of the first that was lost
  std::thread thread_;
};

}  // namespace seawall::detail
