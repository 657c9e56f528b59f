#include "tests/simulation/edge/simulated_edge.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "edge/engineio/http_connection.h"
#include "edge/session_socket.h"
#include "edge/socketio/namespace_handlers.h"

namespace sessioncast::test {
namespace {

// What is queued beside events: answers, pings, and what an event adds to its bytes.
constexpr size_t kQueueSlackBytes = 8 * 1024;
// Hub's kEventOverheadBytes, and the largest event as a packet.
constexpr size_t kEventBytesMax = 16 * 1024 + 11'000;
constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

edge::Hub::Options HubOptions(const EdgeLimits& limits, engineio::IoThread& thread) {
  edge::Hub::Options options;
  options.pace = limits.pace;
  options.page_bytes_max = limits.page_bytes_max;
  options.tail_bytes_max = limits.tail_bytes_max;
  options.now = [&thread] { return thread.loop().now; };
  options.broken_rule = limits.broken_rule;
  return options;
}

}  // namespace

SimulatedEdge::SimulatedEdge(Scheduler& scheduler, NaiveControl& control, EdgeLimits limits)
    : scheduler_(scheduler),
      limits_(limits),
      line_(scheduler, control),
      hub_(HubOptions(limits, thread_), line_.MakeUpward()) {
  connection_limits_.write_timeout = std::chrono::seconds(10);
  auto sockets = std::make_unique<socketio::NamespaceHandlers>("/");
  edge::SessionSocketOptions options;
  options.broken_rule = limits.broken_rule;
  edge::ServeSessions(*sockets, options, access_, [this](const engineio::IoThread&) {
    return edge::SessionLine{
        hub_, [](const edge::Answer&, std::function<void(edge::AnswerOutcome)> done) { done({}); }};
  });
  rules_.namespaces.emplace("/", std::move(sockets));
}

SimulatedEdge::~SimulatedEdge() {
  retry_.Cancel();
  // Connections and transports hold each other until the end: they end, and no byte of it leaves.
  std::vector<std::string> left;
  for (const std::shared_ptr<engineio::Pipe>& pipe : pipes_) left.push_back(pipe->to_client);
  while (!connections_.empty()) {
    const std::shared_ptr<engineio::Connection> connection = connections_.begin()->second;
    connection->Fail(engineio::DisconnectReason::kServerShuttingDown);
  }
  for (size_t i = 0; i < pipes_.size(); ++i) {
    const auto readable = std::exchange(pipes_[i]->readable, nullptr);
    const auto writable = std::exchange(pipes_[i]->writable, nullptr);
    pipes_[i]->to_client = left[i];
    pipes_[i]->server_left = true;
  }
  while (!loop().posted.empty()) {
    const std::function<void()> task = std::move(loop().posted.front());
    loop().posted.pop_front();
  }
}

void SimulatedEdge::Accept(const std::shared_ptr<engineio::Pipe>& pipe,
                           const std::string& user_agent) {
  engineio::FirstRequest first;
  first.headers = {{"User-Agent", user_agent}};
  first.transport = "websocket";
  const std::string sid = absl::StrCat("connection ", ++accepted_);
  const auto connection = std::make_shared<engineio::Connection>(*this, sid, std::move(first));
  connections_[sid] = connection;
  pipes_.push_back(pipe);
  engineio::TcpArrival arrival;
  arrival.descriptor = engineio::OwnedDescriptor(loop().Arrive(pipe));
  connection->OpenWebSocket(std::make_unique<socketio::ConnectionSockets>(rules_, *connection),
                            std::move(arrival), "");
}

void SimulatedEdge::FlushSoon(std::shared_ptr<engineio::Connection> connection) {
  thread_.Post([connection = std::move(connection)] { connection->Flush(); });
}

bool SimulatedEdge::Step() {
  if (line_.TakeRetry() && !retry_.pending()) {
    retry_ = thread_.After(absl::ToChronoMilliseconds(kRetryAfter), [this] { hub_.Retry(); });
  }
  std::vector<std::function<void()>*> ready;
  for (const std::shared_ptr<engineio::Pipe>& pipe : pipes_) {
    if (pipe->is_readable()) ready.push_back(&pipe->readable);
    if (pipe->is_writable()) ready.push_back(&pipe->writable);
  }
  const bool looks_at_sockets = scheduler_.Chance(50);
  if (!looks_at_sockets && (loop().RunPosted() || loop().RunDue())) return true;
  if (ready.empty()) return loop().RunDue() || loop().RunPosted();
  const uint32_t which = scheduler_.Pick(static_cast<uint32_t>(ready.size()));
  const std::function<void()> handler = std::exchange(*ready[which], nullptr);
  handler();
  std::erase_if(pipes_, [](const auto& pipe) {
    return pipe->server_left && pipe->readable == nullptr && pipe->writable == nullptr;
  });
  return true;
}

void SimulatedEdge::Advance(absl::Duration by) { loop().now += absl::ToChronoNanoseconds(by); }

std::string SimulatedEdge::QueuesTooLong() const {
  const size_t most = std::max(limits_.pace.queue_bytes_max, kEventBytesMax) + kQueueSlackBytes;
  for (const auto& [sid, connection] : connections_) {
    if (connection->queued_bytes() > most)
      return absl::StrCat(connection->queued_bytes(), " bytes are queued for ", sid);
  }
  return {};
}

}  // namespace sessioncast::test
