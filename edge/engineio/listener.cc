#include "edge/engineio/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "edge/engineio/io_loop.h"
#include "edge/engineio/tcp_stream.h"

namespace sessioncast::engineio {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsInARow = 64;
// For want of descriptors nothing can be accepted: others may be closed by then.
constexpr std::chrono::milliseconds kRetryDelay{50};
constexpr int kPortTries = 20;

std::string FormatAddress(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text,
              sizeof(text));
  } else {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof(text));
  }
  return text;
}

uint16_t PortOf(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

absl::Status ErrnoStatus(const std::string& what) {
  const int error = errno;
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  if (error == EADDRINUSE) return absl::AlreadyExistsError(message);
  if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL) return absl::NotFoundError(message);
  return absl::UnavailableError(message);
}

struct HostAndPort {
  std::string host;
  std::string port;
};

std::optional<HostAndPort> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  HostAndPort parts{address.substr(0, colon), address.substr(colon + 1)};
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  } else if (parts.host.find(':') != std::string::npos) {
    return std::nullopt;
  }
  uint32_t port = 0;
  const bool is_number = absl::SimpleAtoi(parts.port, &port);
  if (parts.host.empty() || !is_number || port > 65535) return std::nullopt;
  return parts;
}

}  // namespace

struct Listener::Socket {
  Socket(IoThread& thread, int descriptor)
      : descriptor(descriptor), stream(thread, OwnedDescriptor(descriptor)) {}
  const int descriptor;
  TcpStream stream;
  Timer retry;
};

Listener::Listener(IoThread& thread, int send_buffer_bytes,
                   std::function<void(TcpArrival)> accept)
    : thread_(thread), send_buffer_bytes_(send_buffer_bytes), accept_(std::move(accept)) {}

Listener::~Listener() = default;

absl::Status Listener::Bind(const std::string& address) {
  const std::optional<HostAndPort> parts = SplitAddress(address);
  if (!parts) {
    return absl::InvalidArgumentError(absl::StrCat("listen: \"", address, "\" is not HOST:PORT"));
  }
  if (parts->host != "localhost") return BindNamed(parts->host, parts->port);
  uint32_t port = 0;
  (void)absl::SimpleAtoi(parts->port, &port);
  absl::Status status;
  // With port 0 the one that the system picks for IPv4 may be taken on IPv6.
  for (int i = 0; i < (port == 0 ? kPortTries : 1); ++i) {
    status = BindLocalhost(static_cast<uint16_t>(port));
    if (status.ok()) return status;
    Close();
  }
  return status;
}

absl::Status Listener::BindLocalhost(uint16_t port) {
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const absl::Status v4_status = Open(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
  if (!v4_status.ok() && !absl::IsNotFound(v4_status)) return v4_status;
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(v4_status.ok() ? port_ : port);
  v6.sin6_addr = in6addr_loopback;
  const absl::Status v6_status = Open(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
  // A machine with one of the two is served on that one.
  return absl::IsNotFound(v6_status) ? v4_status : v6_status;
}

absl::Status Listener::BindNamed(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError(absl::StrCat("listen: ", host, ": ", gai_strerror(error)));
  }
  const absl::Status status = Open(found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return status;
}

absl::Status Listener::Open(const sockaddr* address, socklen_t size) {
  sockaddr_storage bound = {};
  std::memcpy(&bound, address, size);
  const std::string name = absl::StrCat("listen: ", FormatAddress(bound), " port ", PortOf(bound));
  const int descriptor =
      socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor < 0) return ErrnoStatus(name);
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // What is accepted inherits it.
  if (send_buffer_bytes_ > 0) {
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes_, sizeof(send_buffer_bytes_));
  }
  if (address->sa_family == AF_INET6) {
    setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  socklen_t bound_size = sizeof(bound);
  if (bind(descriptor, address, size) != 0 || listen(descriptor, kBacklog) != 0 ||
      getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &bound_size) != 0) {
    const absl::Status status = ErrnoStatus(name);
    close(descriptor);
    return status;
  }
  port_ = PortOf(bound);
  const std::string host = FormatAddress(bound);
  addresses_.push_back(bound.ss_family == AF_INET6 ? absl::StrCat("[", host, "]:", port_)
                                                   : absl::StrCat(host, ":", port_));
  sockets_.push_back(std::make_unique<Socket>(thread_, descriptor));
  return absl::OkStatus();
}

void Listener::Start() {
  for (const std::unique_ptr<Socket>& socket : sockets_) WaitFor(*socket);
}

void Listener::Close() {
  for (const std::unique_ptr<Socket>& socket : sockets_) socket->stream.Close();
  sockets_.clear();
  addresses_.clear();
}

void Listener::WaitFor(Socket& socket) {
  socket.stream.WhenReadable([this, &socket] { AcceptAll(socket); });
}

void Listener::AcceptAll(Socket& socket) {
  std::vector<TcpArrival> arrivals;
  const bool goes_on = AcceptSome(socket, arrivals);
  for (TcpArrival& arrival : arrivals) {
    ReadFirst(arrival);
    accept_(std::move(arrival));
  }
  if (goes_on) {
    WaitFor(socket);
  } else {
    socket.retry = thread_.After(kRetryDelay, [this, &socket] { WaitFor(socket); });
  }
}

// A request that came with its TCP connection is handled before what other connections bring after
// it. For that it is read when none is left to accept (what the first has sent was there before the
// second came), and before the descriptor is watched (else it would count as ready from then on,
// and what it brings later would be handled too early).
void Listener::ReadFirst(TcpArrival& arrival) {
  auto& scratch = thread_.loop().scratch;
  const ssize_t size = recv(arrival.descriptor.get(), scratch.data(), scratch.size(), 0);
  if (size > 0) arrival.bytes.assign(scratch.data(), size);  // the rest is seen by who takes it
}

bool Listener::AcceptSome(Socket& socket, std::vector<TcpArrival>& arrivals) {
  for (int i = 0; i < kAcceptsInARow; ++i) {
    sockaddr_storage remote = {};
    socklen_t size = sizeof(remote);
    const int descriptor = accept4(socket.descriptor, reinterpret_cast<sockaddr*>(&remote), &size,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    TcpArrival arrival;
    arrival.descriptor = OwnedDescriptor(descriptor);
    arrival.remote_address = FormatAddress(remote);
    arrivals.push_back(std::move(arrival));
  }
  return true;
}

}  // namespace sessioncast::engineio
