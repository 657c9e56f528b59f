#include "tests/client_sdk/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "gtest/gtest.h"

namespace sessioncast::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// HTTP/2 (RFC 9113), as far as the first frames.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kEmptySettings("\0\0\0\x04\0\0\0\0\0", 9);
constexpr size_t kFrameHeadBytes = 9;
constexpr char kTypeSettings = 4;
constexpr char kFlagAck = 1;

bool AwaitReadable(int descriptor, steady_clock::time_point end) {
  const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now());
  pollfd wanted = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&wanted, 1, static_cast<int>(std::max(left, milliseconds(0)).count())) > 0;
}

// Whether what a client has sent holds the acknowledgement of our SETTINGS.
bool HoldsAcknowledgement(std::string_view sent) {
  if (!sent.starts_with(kPreface)) return false;
  sent.remove_prefix(kPreface.size());
  while (sent.size() >= kFrameHeadBytes) {
    if (sent[3] == kTypeSettings && (sent[4] & kFlagAck) != 0) return true;
    const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(sent[i])); };
    const size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
    sent.remove_prefix(std::min(sent.size(), kFrameHeadBytes + length));
  }
  return false;
}

// False: the client has left, or nothing came in time.
bool AwaitAcknowledgement(int connection, steady_clock::time_point end) {
  if (send(connection, kEmptySettings.data(), kEmptySettings.size(), MSG_NOSIGNAL) < 0)
    return false;
  std::string sent;
  while (AwaitReadable(connection, end)) {
    char part[4'096];
    const ssize_t count = recv(connection, part, sizeof(part), 0);
    if (count <= 0) return false;
    sent.append(part, static_cast<size_t>(count));
    if (HoldsAcknowledgement(sent)) return true;
  }
  return false;
}

}  // namespace

Listener::Listener() : listening_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

Listener::~Listener() { close(listening_); }

std::string Listener::address() const {
  sockaddr_in address = {};
  socklen_t length = sizeof(address);
  EXPECT_EQ(getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

bool Listener::AwaitClient(milliseconds patience) {
  const auto end = steady_clock::now() + patience;
  EXPECT_EQ(listen(listening_, SOMAXCONN), 0);
  while (AwaitReadable(listening_, end)) {
    const int connection = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    const bool connected = AwaitAcknowledgement(connection, end);
    close(connection);
    if (connected) return true;
  }
  return false;
}

}  // namespace sessioncast::tests
