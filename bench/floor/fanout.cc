#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/floor/floor.h"
#include "bench/load/stamp.h"
#include "tools/daemon/descriptors.h"

namespace sessioncast::bench {
namespace {

constexpr int kReadyMax = 256;
constexpr int kBacklog = 4'096;

std::string AcceptOf(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 32> base64 = {};
  const int size = EVP_EncodeBlock(base64.data(), digest.data(), digest.size());
  return std::string(reinterpret_cast<const char*>(base64.data()), size);
}

std::string TextFrame(std::string_view text) {
  std::string frame(1, '\x81');
  if (text.size() < 126) {
    frame.push_back(static_cast<char>(text.size()));
  } else {
    frame.push_back(126);
    frame.push_back(static_cast<char>(text.size() >> 8));
    frame.push_back(static_cast<char>(text.size()));
  }
  return frame.append(text);
}

// A session's connections, and the number of its next event.
struct Session {
  std::vector<int> descriptors;
  uint32_t number = 0;
};

// What a connection has sent.
struct Arrived {
  bool is_upgraded = false;
  std::string bytes;
};

class FloorServer {
 public:
  explicit FloorServer(const FloorFanoutOptions& options) : options_(options) {}

  int Serve() {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    const int stop_signal = signalfd(-1, &stop, SFD_CLOEXEC);
    if (!Listen()) return 1;
    Watch(listener_);
    Watch(timer_);
    Watch(stop_signal);
    std::array<epoll_event, kReadyMax> ready;
    for (;;) {
      const int count = epoll_wait(epoll_, ready.data(), kReadyMax, -1);
      for (int i = 0; i < count; ++i) {
        const int descriptor = ready[i].data.fd;
        if (descriptor == stop_signal) return End();
        OnReady(descriptor);
      }
    }
  }

 private:
  bool Listen() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const bool listens = bind(listener_, any, size) == 0 && listen(listener_, kBacklog) == 0 &&
                         getsockname(listener_, any, &size) == 0;
    if (listens) std::cout << "listening on " << ntohs(address.sin_port) << std::endl;
    return listens;
  }

  void Watch(int descriptor) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  void OnReady(int descriptor) {
    if (descriptor == listener_) return Accept();
    if (descriptor == timer_) return OnTimer();
    std::array<char, 4'096> buffer;
    const ssize_t size = recv(descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return Drop(descriptor);
    Arrived& arrived = arrived_[descriptor];
    arrived.bytes.append(buffer.data(), size);
    if (!arrived.is_upgraded) return Upgrade(descriptor, arrived);
    while (TakeFrame(descriptor, arrived.bytes)) {
    }
  }

  void Accept() {
    for (;;) {
      const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) return;
      const int on = 1;
      setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      arrived_[descriptor] = {};
      Watch(descriptor);
    }
  }

  void Upgrade(int descriptor, Arrived& arrived) {
    constexpr std::string_view kKey = "Sec-WebSocket-Key: ";
    if (arrived.bytes.find("\r\n\r\n") == arrived.bytes.npos) return;
    const size_t at = arrived.bytes.find(kKey);
    if (at == arrived.bytes.npos) return Drop(descriptor);
    const size_t key = at + kKey.size();
    const std::string accept =
        AcceptOf(arrived.bytes.substr(key, arrived.bytes.find("\r\n", key) - key));
    arrived = {.is_upgraded = true, .bytes = ""};
    Send(descriptor, absl::StrCat("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Accept: ",
                                  accept, "\r\n\r\n",
                                  TextFrame(R"(0{"sid":"floor","upgrades":[],"pingInterval":)"
                                            R"(25000,"pingTimeout":20000,"maxPayload":1000000})")));
  }

  // A client's frame, masked with zeros and short.
  bool TakeFrame(int descriptor, std::string& bytes) {
    constexpr size_t kHeadBytes = 6;
    const size_t size = bytes.size() < 2 ? 0 : bytes[1] & 0x7F;
    if (bytes.size() < kHeadBytes + size || bytes.size() < 2) return false;
    OnPacket(descriptor, bytes.substr(kHeadBytes, size));
    bytes.erase(0, kHeadBytes + size);
    return true;
  }

  void OnPacket(int descriptor, const std::string& packet) {
    constexpr std::string_view kSubscribe = "42[\"subscribe\",";
    if (packet.starts_with("40")) return Send(descriptor, TextFrame("40{\"sid\":\"floor\"}"));
    if (!packet.starts_with(kSubscribe)) return;
    const std::string name = packet.substr(kSubscribe.size());
    const auto [found, is_new] = names_.try_emplace(name, sessions_.size());
    if (is_new) sessions_.emplace_back();
    sessions_[found->second].descriptors.push_back(descriptor);
    Send(descriptor, TextFrame("42[\"subscribed\",{}]"));
    if (begin_ns_ == 0) {
      begin_ns_ = NowNs();
      ArmTimer();
    }
  }

  int64_t NextTimeNs() const {
    return IntendedTimeNs(begin_ns_, next_, options_.burst, options_.rate);
  }

  void ArmTimer() {
    const int64_t time_ns = NextTimeNs();
    itimerspec when = {};
    when.it_value = {.tv_sec = time_ns / 1'000'000'000, .tv_nsec = time_ns % 1'000'000'000};
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  void OnTimer() {
    uint64_t fired = 0;
    if (read(timer_, &fired, sizeof(fired)) < 0) return;
    for (const int64_t now_ns = NowNs(); NextTimeNs() <= now_ns;) SendEvent();
    ArmTimer();
  }

  void SendEvent() {
    const int64_t time_ns = NextTimeNs();
    Session& session = sessions_[next_++ / options_.burst % sessions_.size()];
    const std::string frame = TextFrame(
        absl::StrCat(R"(42["model_result",{"result":")",
                     StampedText({time_ns, session.number++}, options_.text_bytes), "\"}]"));
    for (const int descriptor : session.descriptors) Send(descriptor, frame);
  }

  void Send(int descriptor, const std::string& bytes) {
    const ssize_t size = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size != static_cast<ssize_t>(bytes.size())) ++not_sent_;
  }

  void Drop(int descriptor) {
    for (Session& session : sessions_) std::erase(session.descriptors, descriptor);
    arrived_.erase(descriptor);
    close(descriptor);
  }

  int End() {
    if (not_sent_ > 0) std::cerr << "bench_floor: " << not_sent_ << " sends did not go through\n";
    return 0;
  }

  const FloorFanoutOptions options_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  const int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  std::unordered_map<int, Arrived> arrived_;
  std::map<std::string, size_t> names_;
  std::vector<Session> sessions_;
  int64_t begin_ns_ = 0;  // of the first event
  uint64_t next_ = 0;
  uint64_t not_sent_ = 0;
};

}  // namespace

int ServeFanout(const FloorFanoutOptions& options) {
  daemon::RaiseDescriptors();
  return FloorServer(options).Serve();
}

}  // namespace sessioncast::bench
