#include "parallel/meeting.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <random>
#include <sstream>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "seawall/parallel/world.hpp"

namespace seawall::detail {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// What a connection begins with.
struct Hello {
  std::uint64_t token = 0;
  std::int32_t rank = 0, control = 0;
};

/// Where a process listens, and who it is.
struct Place {
  std::string address;
  int port = 0;
  std::string process, machine;
};

std::string place_text(const Launch& launch) {
  return launch.host + ":" + std::to_string(launch.port);
}

std::string dotted(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return text;
}

/// IPv4 addresses of a host. Errors: UsageError where it has none.
std::vector<sockaddr_in> addresses_of(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0)
    throw UsageError("MASTER_ADDR: " + host + ": " + ::gai_strerror(failed) +
                     "; want the name or the IPv4 address of the machine where rank 0 runs");
  std::vector<sockaddr_in> out;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next)
    out.push_back(*reinterpret_cast<const sockaddr_in*>(a->ai_addr));
  ::freeaddrinfo(found);
  return out;
}

Descriptor connect_to(const std::vector<sockaddr_in>& addresses) {
  for (const auto& address : addresses) {
    Descriptor file(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(file.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return file;
  }
  return Descriptor();
}

Descriptor connect_to(const std::string& host, int port, Clock::time_point until) {
  const auto addresses = addresses_of(host, port);
  for (;;) {
    if (Descriptor file = connect_to(addresses)) return file;
    if (Clock::now() > until) return Descriptor();
    std::this_thread::sleep_for(50ms);
  }
}

/// This machine's address as the meeting place sees it.
std::string own_address(const Launch& launch) {
  const auto there = addresses_of(launch.host, launch.port);
  Descriptor file(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  socklen_t size = sizeof own;
  if (there.empty() ||
      ::connect(file.get(), reinterpret_cast<const sockaddr*>(&there[0]), sizeof there[0]) != 0 ||
      ::getsockname(file.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
    throw UsageError("MASTER_ADDR: " + launch.host + ": cannot be reached from here (" +
                     std::strerror(errno) + ")");
  return dotted(own);
}

Descriptor listen_anywhere(int& port) {
  Descriptor file(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_ANY);  // who has no token is sent away
  socklen_t size = sizeof own;
  if (::bind(file.get(), reinterpret_cast<sockaddr*>(&own), size) != 0 ||
      ::listen(file.get(), SOMAXCONN) != 0 ||
      ::getsockname(file.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
    throw UsageError(std::string("cannot listen for the other processes: ") + std::strerror(errno));
  port = ntohs(own.sin_port);
  return file;
}

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string first_line_of(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

/// The addresses, and a number that only this run's processes know.
class Board {
 public:
  explicit Board(const Launch& launch)
      : launch_(launch), until_(Clock::now() + 4 * std::chrono::seconds(launch.patience)) {
    const bool serves = launch.rank == 0 && !launch.store_is_there;
    addresses_of(launch.host, launch.port);  // rank 0 does without, the others would not
    // Numbers, and a server that is there: libtorch would speak of names and of every attempt.
    std::string address = "127.0.0.1";
    if (!serves) {
      const Descriptor file = connect_to(launch.host, launch.port, until_);
      if (!file)
        throw PeerError(
            "rank 0 of " + std::to_string(launch.ranks) + ": nothing listens at " +
            place_text(launch) +
            "; is it started, and are MASTER_ADDR and MASTER_PORT the same everywhere?");
      sockaddr_in there{};
      socklen_t size = sizeof there;
      ::getpeername(file.get(), reinterpret_cast<sockaddr*>(&there), &size);
      address = dotted(there);
    }
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(launch.port);
    options.isServer = serves;
    options.waitWorkers = false;
    options.timeout = 4 * std::chrono::seconds(launch.patience);
    try {
      store_ = in_time([=] { return c10::make_intrusive<c10d::TCPStore>(address, options); });
    } catch (const PeerError&) {
      throw;
    } catch (const std::exception& error) {
      throw UsageError("MASTER_PORT: cannot use " + place_text(launch) + ": " +
                       first_line_of(error) + "; take a port that is free");
    }
  }
  Clock::time_point until() const { return until_; }

  void put(const std::string& key, const std::string& text) {
    in_time([store = store_, name = name_of(key), text] { store->set(name, bytes_of(text)); });
  }
  /// Errors: PeerError where rank `rank`, who writes it, does not.
  std::string get(const std::string& key, int rank) {
    const std::string name = name_of(key);
    while (!in_time([store = store_, name] { return store->check({name}); })) {
      if (Clock::now() > until_) throw missing(rank);
      std::this_thread::sleep_for(20ms);
    }
    const auto bytes = in_time([store = store_, name] { return store->get(name); });
    return {bytes.begin(), bytes.end()};
  }
  PeerError missing(int rank) const {
    return PeerError("rank " + std::to_string(rank) + " of " + std::to_string(launch_.ranks) +
                     ": did not come within " + std::to_string(4 * launch_.patience) +
                     " s; start every process with the same WORLD_SIZE, MASTER_ADDR and "
                     "MASTER_PORT (under Slurm with srun)");
  }

 private:
  std::string name_of(const std::string& key) const {
    return "seawall/" + launch_.name + "/" + key;
  }
  /// What `work` gives. libtorch waits for ever where something listens and does not answer: then
  /// its thread is left behind. Errors: PeerError; what `work` throws.
  template <class Work>
  std::invoke_result_t<Work> in_time(Work work) const {
    auto task = std::make_shared<std::packaged_task<std::invoke_result_t<Work>()>>(std::move(work));
    auto done = task->get_future();
    std::thread([task] { (*task)(); }).detach();
    // What is asked for when the time is over may still be there.
    if (done.wait_until(std::max(until_, Clock::now() + 1s)) != std::future_status::ready)
      throw PeerError("rank 0 of " + std::to_string(launch_.ranks) + ": " + place_text(launch_) +
                      " does not answer; is another program listening there, or was rank 0 "
                      "stopped? Start all processes again, with a MASTER_PORT that is free");
    return done.get();
  }
  const Launch& launch_;
  Clock::time_point until_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
};

std::string key_of(int rank) { return "place/" + std::to_string(rank); }

Place place_from(const std::string& text) {
  Place place;
  std::istringstream in(text);
  in >> place.address >> place.port >> place.process >> place.machine;
  return place;
}

void set_up(const Descriptor& file) {
  const int on = 1;
  ::setsockopt(file.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Takes one connection. False: it was nobody's of this run.
bool take(const Descriptor& listener, std::uint64_t token, int own, std::vector<Peer>& peers) {
  Descriptor file(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!file) return false;
  const timeval limit{5, 0}, none{};
  ::setsockopt(file.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  Hello hello;
  if (::recv(file.get(), &hello, sizeof hello, MSG_WAITALL) != sizeof hello ||
      hello.token != token || hello.rank <= own || hello.rank >= static_cast<int>(peers.size()))
    return false;
  ::setsockopt(file.get(), SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  set_up(file);
  Peer& peer = peers[static_cast<std::size_t>(hello.rank)];
  (hello.control != 0 ? peer.control : peer.data) = std::move(file);
  return true;
}

}  // namespace

std::vector<Peer> meet(const Launch& launch) {
  Board board(launch);
  if (launch.rank == 0) {
    std::random_device random;
    board.put("token", std::to_string((std::uint64_t{random()} << 32) | random()));
  }
  int port = 0;
  const Descriptor listener = listen_anywhere(port);
  char machine[256] = "";
  ::gethostname(machine, sizeof machine - 1);
  board.put(key_of(launch.rank), own_address(launch) + " " + std::to_string(port) + " " +
                                     std::to_string(::getpid()) + " " + machine);
  Hello hello{.token = std::stoull(board.get("token", 0)), .rank = launch.rank, .control = 0};

  std::vector<Peer> peers(static_cast<std::size_t>(launch.ranks));
  for (int r = 0; r < launch.rank; ++r) {
    const Place place = place_from(board.get(key_of(r), r));
    // A machine may know itself by an address of its own alone; all know the meeting place.
    const std::string& host = r == 0 && !launch.store_is_there ? launch.host : place.address;
    Peer& peer = peers[static_cast<std::size_t>(r)];
    for (Descriptor* file : {&peer.data, &peer.control}) {
      *file = connect_to(host, place.port, board.until());
      if (!*file) throw board.missing(r);
      hello.control = file == &peer.control;
      set_up(*file);
      if (::send(file->get(), &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello)
        throw board.missing(r);
    }
  }
  for (int r = launch.rank + 1; r < launch.ranks;) {
    const Peer& peer = peers[static_cast<std::size_t>(r)];
    if (peer.data && peer.control) {
      ++r;
      continue;
    }
    pollfd waits{listener.get(), POLLIN, 0};
    if (::poll(&waits, 1, 200) > 0) take(listener, hello.token, launch.rank, peers);
    if (Clock::now() > board.until()) throw board.missing(r);
  }
  for (int r = 0; r < launch.ranks; ++r) {
    const Place place = place_from(board.get(key_of(r), r));
    peers[static_cast<std::size_t>(r)].name = "rank " + std::to_string(r) + " of " +
                                              std::to_string(launch.ranks) + " (process " +
                                              place.process + " on " + place.machine + ")";
  }
  // The one who serves the board takes it away once all have read it.
  board.put("read/" + std::to_string(launch.rank), "1");
  if (launch.rank == 0)
    for (int r = 1; r < launch.ranks; ++r) board.get("read/" + std::to_string(r), r);
  return peers;
}

}  // namespace seawall::detail
