#include "control/listener.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace sessioncast::control {
namespace {

constexpr int kBacklog = 1'024;
constexpr int kPortTries = 20;

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};

absl::Status SocketError(const std::string& what) {
  const int error = errno;
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  if (error == EADDRINUSE) return absl::AlreadyExistsError(message);
  if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL) return absl::NotFoundError(message);
  return absl::UnavailableError(message);
}

void SetOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

uint16_t PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  const bool is_v6 = bound.ss_family == AF_INET6;
  return ntohs(is_v6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                     : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

// Whether it is one end of a TCP connection.
bool IsConnection(int fd) {
  int protocol = 0;
  socklen_t size = sizeof(protocol);
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0) return false;
  sockaddr_storage peer = {};
  size = sizeof(peer);
  return protocol == IPPROTO_TCP && getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

struct HostPort {
  std::string host;
  uint16_t port;
};

absl::StatusOr<HostPort> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("address '", address, "': must be HOST:PORT"));
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return HostPort{std::move(host), static_cast<uint16_t>(port)};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) close(fd_);
  fd_ = other.Release();
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

int Descriptor::Release() { return std::exchange(fd_, -1); }

absl::StatusOr<std::unique_ptr<Listener>> Listener::Bind(const std::string& address) {
  absl::StatusOr<HostPort> wanted = Split(address);
  if (!wanted.ok()) return wanted.status();
  std::vector<std::string> hosts = {wanted->host};
  if (wanted->host == "localhost") hosts = {"127.0.0.1", "::1"};
  absl::Status status;
  for (int i = 0; i < kPortTries; ++i) {
    std::unique_ptr<Listener> listener(new Listener());
    status = listener->BindAll(hosts, wanted->port);
    if (status.ok()) return listener;
    // A port that the system picked for one address may be taken on the other.
    if (wanted->port != 0 || !absl::IsAlreadyExists(status)) return status;
  }
  return status;
}

Listener::~Listener() { Stop(); }

absl::Status Listener::BindAll(const std::vector<std::string>& hosts, uint16_t port) {
  for (const std::string& host : hosts) {
    absl::Status status = BindOne(host, sockets_.empty() ? port : port_);
    const bool may_lack = !sockets_.empty() && absl::IsNotFound(status);
    if (!status.ok() && !may_lack) return status;
  }
  return absl::OkStatus();
}

absl::Status Listener::BindOne(const std::string& host, uint16_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string service = absl::StrCat(port);
  if (const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &found); error != 0) {
    return absl::NotFoundError(absl::StrCat("address '", host, "': ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> owner(found);
  const bool is_v6 = found->ai_family == AF_INET6;
  const std::string shown = is_v6 ? absl::StrCat("[", host, "]") : host;
  Descriptor fd(socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return SocketError(absl::StrCat("cannot listen on ", shown, ":", port));
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (is_v6) SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, host == "::" ? 0 : 1);
  if (bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    return SocketError(absl::StrCat("cannot listen on ", shown, ":", port));
  }
  port_ = PortOf(fd.get());
  addresses_.push_back(absl::StrCat(shown, ":", port_));
  sockets_.push_back(std::move(fd));
  return absl::OkStatus();
}

absl::Status Listener::Start(Accepted accepted) {
  accepted_ = std::move(accepted);
  stop_ = Descriptor(eventfd(0, EFD_CLOEXEC));
  spare_ = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (stop_.get() < 0 || spare_.get() < 0) return SocketError("cannot start to accept");
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Listener::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    if (write(stop_.get(), &one, sizeof(one)) == sizeof(one)) thread_.join();
  }
  sockets_.clear();
}

void Listener::EndConnections() const {
  // The kernel knows which there are; a list of our own would name descriptors that were closed,
  // and used again. Each is duplicated before it is looked at, for the same reason.
  const std::unique_ptr<DIR, CloseDirectory> descriptors(opendir("/proc/self/fd"));
  if (descriptors == nullptr) return spdlog::warn("/proc/self/fd cannot be read");
  int ended = 0;
  while (const dirent* const entry = readdir(descriptors.get())) {
    int fd = -1;
    if (!absl::SimpleAtoi(entry->d_name, &fd)) continue;
    const Descriptor own(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (own.get() < 0 || !IsConnection(own.get()) || PortOf(own.get()) != port_) continue;
    if (shutdown(own.get(), SHUT_RDWR) == 0) ++ended;
  }
  if (ended > 0) spdlog::info("{} connections did not end by themselves", ended);
}

void Listener::Run() {
  std::vector<pollfd> polled;
  for (const Descriptor& socket : sockets_) polled.push_back({socket.get(), POLLIN, 0});
  polled.push_back({stop_.get(), POLLIN, 0});
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0) continue;  // a signal
    if (polled.back().revents != 0) return;
    for (size_t i = 0; i < sockets_.size(); ++i) {
      if (polled[i].revents != 0) Accept(polled[i].fd);
    }
  }
}

void Listener::Accept(int listening_fd) {
  const int fd = accept4(listening_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    accepted_(listening_fd, fd);
  } else if (errno == EMFILE || errno == ENFILE) {
    Shed(listening_fd);
  }
}

void Listener::Shed(int listening_fd) {
  spdlog::warn("out of file descriptors: a connection is refused");
  spare_ = Descriptor();
  Descriptor refused(accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC));
  refused = Descriptor();
  spare_ = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace sessioncast::control
