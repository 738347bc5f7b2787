#include "parallel/mesh.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "seawall/parallel/world.hpp"

namespace seawall::detail {
namespace {

/// What is done when it is returned.
struct Done final : c10d::Work {
  Done() : Work(-1, c10d::OpType::ALLTOALL) { finish(); }
};

/// One message each way with one peer: its length in 8 bytes, then the bytes.
struct Transfer {
  int peer = 0, file = -1;
  const char* out = nullptr;
  char* in = nullptr;
  std::uint64_t out_size = 0, in_size = 0, told = 0;
  std::size_t sent = 0, received = 0;  // lengths included

  static constexpr std::size_t head = sizeof out_size;
  bool sends() const { return sent < head + out_size; }
  bool receives() const { return received < head + in_size; }

  /// What the connection takes now. False: it is closed.
  bool send_some() {
    while (sends()) {
      iovec parts[2];
      std::size_t n = 0;
      if (sent < head) parts[n++] = {reinterpret_cast<char*>(&out_size) + sent, head - sent};
      const std::size_t done = std::max(sent, head) - head;
      if (done < out_size) parts[n++] = {const_cast<char*>(out) + done, out_size - done};
      msghdr message{};
      message.msg_iov = parts;
      message.msg_iovlen = n;
      const auto took = ::sendmsg(file, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (took < 0 && errno == EINTR) continue;
      if (took < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
      sent += static_cast<std::size_t>(took);
    }
    return true;
  }

  /// What is there now. False: the connection is closed.
  bool receive_some() {
    while (receives()) {
      char* place =
          received < head ? reinterpret_cast<char*>(&told) + received : in + (received - head);
      const std::size_t want = received < head ? head - received : head + in_size - received;
      const auto got = ::recv(file, place, want, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
      if (got == 0) return false;
      received += static_cast<std::size_t>(got);
      if (received == head && told != in_size) return true;  // not what was agreed on
    }
    return true;
  }
};

}  // namespace

Mesh::Mesh(int rank, std::vector<Peer> peers, std::chrono::milliseconds patience)
    : Backend(rank, static_cast<int>(peers.size())),
      peers_(std::move(peers)),
      watch_(peers_, rank, patience) {}

c10::intrusive_ptr<c10d::Work> Mesh::alltoall(std::vector<at::Tensor>& from,
                                              std::vector<at::Tensor>& to,
                                              const c10d::AllToAllOptions&) {
  const auto own = static_cast<std::size_t>(getRank());
  from.at(own).copy_(to.at(own));
  std::vector<at::Tensor> out(to.size()), in(from.size());  // on the host
  std::vector<Transfer> open;
  for (std::size_t p = 0; p < peers_.size(); ++p) {
    if (p == own) continue;
    out[p] = to[p].cpu().contiguous();
    in[p] = from[p].device().is_cpu() ? from[p] : at::empty_like(from[p], at::kCPU);
    open.push_back({.peer = static_cast<int>(p),
                    .file = peers_[p].data.get(),
                    .out = static_cast<const char*>(out[p].const_data_ptr()),
                    .in = static_cast<char*>(in[p].mutable_data_ptr()),
                    .out_size = out[p].nbytes(),
                    .in_size = in[p].nbytes()});
  }
  std::vector<pollfd> files;
  while (!open.empty()) {
    files.clear();
    for (const Transfer& t : open) {
      const int events = (t.sends() ? POLLOUT : 0) | (t.receives() ? POLLIN : 0);
      files.push_back({t.file, static_cast<short>(events), 0});
    }
    ::poll(files.data(), files.size(), 200);
    watch_.check();
    for (Transfer& t : open) {
      if (!t.send_some() || !t.receive_some()) watch_.closed(t.peer);
      if (t.received >= Transfer::head && t.told != t.in_size)
        throw PeerError(peers_[static_cast<std::size_t>(t.peer)].name + " gave " +
                        std::to_string(t.told) + " bytes, want " + std::to_string(t.in_size) +
                        ": it does not do what this process does; start all with the same words");
    }
    std::erase_if(open, [](const Transfer& t) { return !t.sends() && !t.receives(); });
  }
  for (std::size_t p = 0; p < peers_.size(); ++p)
    if (p != own && !from[p].device().is_cpu()) from[p].copy_(in[p]);
  return c10::make_intrusive<Done>();
}

}  // namespace seawall::detail
