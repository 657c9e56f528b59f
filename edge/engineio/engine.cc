#include "edge/engineio/engine.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "edge/engineio/engine_thread.h"
#include "edge/engineio/io_loop.h"
#include "edge/engineio/listener.h"

namespace sessioncast::engineio {
namespace {

constexpr size_t kIoThreadsMax = 64;  // the first character of a sid names them
constexpr size_t kSidSuffixCharactersMax = 16;
// What the last bytes of a stopping server get to leave.
constexpr std::chrono::milliseconds kStopTime{250};
constexpr std::chrono::milliseconds kStopStep{2};

bool IsSidSuffix(std::string_view text) {
  return text.size() <= kSidSuffixCharactersMax &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

// Counts down as threads are done, for one that waits.
class Countdown {
 public:
  explicit Countdown(size_t count) : count_(count) {}
  void Done() {
    std::lock_guard lock(mutex_);
    if (--count_ == 0) changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_;
};

// Calls `done` when the streams of the thread are closed, or it is time.
void WhenStreamsClosed(IoThread& thread, Clock::time_point deadline, std::function<void()> done) {
  if (thread.loop().open_streams == 0 || thread.now() >= deadline) return done();
  auto timer = std::make_shared<Timer>();
  *timer = thread.After(
      kStopStep, [&thread, deadline, done, timer] { WhenStreamsClosed(thread, deadline, done); });
}

}  // namespace

Engine::Engine(EngineOptions options) : options_(std::move(options)) {
  if (!absl::EndsWith(options_.path, "/")) options_.path += '/';
  const size_t threads = std::clamp<size_t>(options_.io_threads, 1, kIoThreadsMax);
  for (size_t i = 0; i < threads; ++i) {
    threads_.push_back(std::make_unique<IoThread>(i));
    parts_.push_back(std::make_unique<EngineThread>(*this, *threads_.back()));
  }
  listener_ =
      std::make_unique<Listener>(*threads_.front(), options_.send_buffer_bytes,
                                 [this](TcpArrival arrival) { Accept(std::move(arrival)); });
}

Engine::~Engine() {
  Stop();
  // What waits in the loops refers to the parts, and the connections to the loops.
  listener_ = nullptr;
  for (const std::unique_ptr<EngineThread>& part : parts_) part->Clear();
  threads_.clear();
}

void Engine::Accept(TcpArrival arrival) { parts_.front()->Take(std::move(arrival)); }

absl::Status Engine::Start() {
  if (options_.io_threads < 1 || options_.io_threads > kIoThreadsMax) {
    return absl::InvalidArgumentError(absl::StrCat("io_threads: 1..", kIoThreadsMax));
  }
  if (options_.path.front() != '/') {
    return absl::InvalidArgumentError("path: begins with '/'");
  }
  if (!IsSidSuffix(options_.sid_suffix)) {
    return absl::InvalidArgumentError(
        absl::StrCat("sid_suffix: at most ", kSidSuffixCharactersMax, " of A-Z, a-z, 0-9, -, _"));
  }
  absl::StatusOr<TrustedProxies> proxies = TrustedProxies::Of(options_.trusted_proxies);
  if (!proxies.ok()) return proxies.status();
  proxies_ = *std::move(proxies);
  if (absl::Status status = listener_->Bind(options_.listen); !status.ok()) return status;
  listener_->Start();
  for (const std::unique_ptr<IoThread>& thread : threads_) thread->Start();
  running_ = true;
  return absl::OkStatus();
}

void Engine::StopAccepting() {
  if (!running_) return;
  IoThread& thread = *threads_.front();
  const auto is_current = [](const auto& candidate) { return candidate->IsCurrent(); };
  if (std::any_of(threads_.begin(), threads_.end(), is_current)) {
    return thread.Post([this] { listener_->Close(); });
  }
  Countdown closed(1);
  thread.Post([this, &closed] {
    listener_->Close();
    closed.Done();
  });
  closed.Wait();
}

void Engine::Stop() {
  if (!running_) return;
  StopAccepting();
  Countdown closed(parts_.size());
  for (const std::unique_ptr<EngineThread>& part : parts_) {
    IoThread& thread = part->thread();
    thread.Post([&part, &thread, &closed] {
      part->CloseAll();
      WhenStreamsClosed(thread, thread.now() + kStopTime, [&closed] { closed.Done(); });
    });
  }
  closed.Wait();
  for (const std::unique_ptr<IoThread>& thread : threads_) thread->Stop();
  running_ = false;
}

Held Engine::CountHeld() const {
  std::vector<Held> counts(threads_.size());
  Countdown counted(threads_.size());
  for (size_t i = 0; i < threads_.size(); ++i) {
    const auto count = [this, &counts, &counted, i] {
      counts[i] = CountHeldOf(i);
      counted.Done();
    };
    // Without its thread a loop is nobody else's.
    running_ ? threads_[i]->Post(count) : count();
  }
  counted.Wait();
  Held all;
  for (const Held& held : counts) {
    all.sids += held.sids;
    all.tcp_connections += held.tcp_connections;
    all.timers += held.timers;
    all.queued_bytes += held.queued_bytes;
  }
  return all;
}

Held Engine::CountHeldOf(size_t thread) const {
  Held held = parts_[thread]->CountHeld();
  // The listening sockets live on the first thread.
  if (thread == 0) held.tcp_connections -= listener_->open_sockets();
  return held;
}

std::vector<std::string> Engine::addresses() const { return listener_->addresses(); }

uint16_t Engine::port() const { return listener_->port(); }

}  // namespace sessioncast::engineio
