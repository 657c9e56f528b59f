#include "bench/load/fleet.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

constexpr int kReadyMax = 256;
constexpr size_t kReadBytesMax = 256 * 1024;
constexpr int kTurnMsMax = 50;

}  // namespace

void Tally::Merge(const Tally& other) {
  latency_ns.Merge(other.latency_ns);
  deliveries += other.deliveries;
  gaps += other.gaps;
  duplicates += other.duplicates;
  lost += other.lost;
}

// One connection: from its handshake to the last event that came.
class Fleet::Client {
 public:
  Client(std::string session, Transport transport)
      : session_(std::move(session)), link_(MakeLink(transport)) {}
  ~Client() { Close(); }

  int descriptor() const { return descriptor_; }
  bool subscribed() const { return subscribed_; }

  // Begins to connect. False: refused at once.
  bool Open(const sockaddr_in& edge) {
    descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) return false;
    const int on = 1;
    setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const auto* address = reinterpret_cast<const sockaddr*>(&edge);
    if (connect(descriptor_, address, sizeof(edge)) < 0 && errno != EINPROGRESS) return false;
    char text[INET_ADDRSTRLEN] = {};
    inet_ntop(AF_INET, &edge.sin_addr, text, sizeof(text));
    output_ = link_->Begin(absl::StrCat(text, ":", ntohs(edge.sin_port)));
    return true;
  }

  void Close() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }

  // Sends what there is. False: the connection is broken, or takes nothing.
  bool Flush() {
    output_.append(link_->TakeOutput());
    if (output_.empty()) return true;
    const ssize_t size = send(descriptor_, output_.data(), output_.size(), MSG_NOSIGNAL);
    const bool all_left = size == static_cast<ssize_t>(output_.size());
    output_.clear();
    return all_left;
  }

  // False: the connection has ended.
  template <typename OnStamp>
  bool Take(std::string_view bytes, OnStamp on_stamp) {
    const bool is_well = link_->Take(bytes, [&](std::string_view packet) {
      if (const std::optional<Stamp> stamp = FindStamp(packet)) return on_stamp(*stamp);
      OnControlPacket(packet);
    });
    return is_well && Flush();
  }

  // How many numbers were passed over; nothing: not above the last.
  std::optional<uint32_t> Follow(uint32_t number) {
    const uint32_t expected = has_events_ ? next_number_ : number;
    if (number < expected) return std::nullopt;
    has_events_ = true;
    next_number_ = number + 1;
    return number - expected;
  }

 private:
  void OnControlPacket(std::string_view packet) {
    if (packet == "2") return link_->Put("3");
    // As browsers are: each event ends in the client's cursor, where the server has such a thing.
    if (packet.starts_with("0")) return link_->Put("40{\"recovery\":true}");
    if (packet.starts_with("40")) {
      return link_->Put(absl::StrCat("42[\"subscribe\",\"", session_, "\"]"));
    }
    if (packet.starts_with("42[\"subscribed\"")) subscribed_ = true;
  }

  const std::string session_;
  const std::unique_ptr<Link> link_;
  int descriptor_ = -1;
  std::string output_;
  bool subscribed_ = false;
  bool has_events_ = false;
  uint32_t next_number_ = 0;
};

class Fleet::Thread {
 public:
  Thread(Fleet& fleet, std::vector<uint32_t> sessions)
      : fleet_(fleet), sessions_(std::move(sessions)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    buffer_.resize(kReadBytesMax);
    clients_.reserve(sessions_.size());
  }
  ~Thread() {
    if (thread_.joinable()) thread_.join();
    close(epoll_);
  }

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  void Join() { thread_.join(); }
  const Tally& tally() const { return tally_; }

 private:
  void Run() {
    std::array<epoll_event, kReadyMax> ready;
    while (!fleet_.stops_) {
      OpenMore();
      const int count = epoll_wait(epoll_, ready.data(), kReadyMax, kTurnMsMax);
      const uint64_t before = tally_.deliveries;
      for (int i = 0; i < count; ++i)
        OnReady(*static_cast<Client*>(ready[i].data.ptr), ready[i].events);
      fleet_.deliveries_ += tally_.deliveries - before;
      fleet_.arrivals_ += std::exchange(arrivals_, 0);
    }
    clients_.clear();
  }

  void OpenMore() {
    while (clients_.size() < sessions_.size() && handshakes_ < fleet_.options_.handshakes_max) {
      const FleetOptions& options = fleet_.options_;
      clients_.push_back(std::make_unique<Client>(
          absl::StrCat(options.session_prefix, sessions_[clients_.size()]), options.transport));
      Client& client = *clients_.back();
      ++handshakes_;
      if (!client.Open(fleet_.options_.edge)) {
        Lose(client);
        continue;
      }
      Watch(client, EPOLL_CTL_ADD, EPOLLOUT);
    }
  }

  void Watch(Client& client, int operation, uint32_t events) {
    epoll_event event = {};
    event.events = events;
    event.data.ptr = &client;
    epoll_ctl(epoll_, operation, client.descriptor(), &event);
  }

  void OnReady(Client& client, uint32_t events) {
    if ((events & EPOLLOUT) != 0) {  // connected
      if (!client.Flush()) return Lose(client);
      return Watch(client, EPOLL_CTL_MOD, EPOLLIN);
    }
    const ssize_t size = recv(client.descriptor(), buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return Lose(client);
    const bool was_subscribed = client.subscribed();
    const int64_t now_ns = NowNs();
    const bool goes_on = client.Take({buffer_.data(), static_cast<size_t>(size)},
                                     [&](const Stamp& stamp) { OnStamp(client, stamp, now_ns); });
    if (!was_subscribed && client.subscribed()) {
      --handshakes_;
      ++fleet_.subscribed_;
    }
    if (!goes_on) Lose(client);
  }

  void OnStamp(Client& client, const Stamp& stamp, int64_t now_ns) {
    ++arrivals_;
    const std::optional<uint32_t> gap = client.Follow(stamp.number);
    if (!gap) {
      ++tally_.duplicates;
      return;
    }
    if (stamp.time_ns < fleet_.window_begin_ns_ || stamp.time_ns >= fleet_.window_end_ns_) return;
    tally_.gaps += *gap;
    ++tally_.deliveries;
    tally_.latency_ns.Record(now_ns - stamp.time_ns);
  }

  void Lose(Client& client) {
    if (!client.subscribed()) --handshakes_;
    client.Close();
    ++tally_.lost;
    ++fleet_.lost_;
  }

  Fleet& fleet_;
  const std::vector<uint32_t> sessions_;  // of its clients, in the order in which they connect
  const int epoll_;
  std::vector<char> buffer_;
  std::vector<std::unique_ptr<Client>> clients_;
  size_t handshakes_ = 0;  // under way
  uint64_t arrivals_ = 0;  // of this turn
  Tally tally_;
  std::thread thread_;
};

// Neighbours in a session are of different threads, and connect one session after another.
Fleet::Fleet(FleetOptions options) : options_(std::move(options)) {
  std::vector<std::vector<uint32_t>> sessions(std::max(1, options_.threads));
  size_t next = 0;
  for (uint32_t subscriber = 0; subscriber < options_.subscribers; ++subscriber) {
    for (uint32_t session = 0; session < options_.sessions; ++session) {
      sessions[next++ % sessions.size()].push_back(session);
    }
  }
  for (auto& of_thread : sessions) {
    threads_.push_back(std::make_unique<Thread>(*this, std::move(of_thread)));
  }
}

Fleet::~Fleet() { stops_ = true; }

size_t Fleet::connections() const { return size_t{options_.sessions} * options_.subscribers; }

bool Fleet::Connect(std::chrono::seconds patience) {
  for (const auto& thread : threads_) thread->Start();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (subscribed_ + lost_ < connections()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return lost_ == 0;
}

void Fleet::SetWindow(int64_t begin_ns, int64_t end_ns) {
  window_begin_ns_ = begin_ns;
  window_end_ns_ = end_ns;
}

Tally Fleet::Stop() {
  stops_ = true;
  Tally all;
  for (const auto& thread : threads_) {
    thread->Join();
    all.Merge(thread->tally());
  }
  return all;
}

}  // namespace sessioncast::bench
