#include "tests/instructions/edge_side.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "edge/engineio/http_connection.h"
#include "edge/session_socket.h"
#include "edge/socketio/namespace_handlers.h"
#include "tests/support/client_frame.h"

namespace sessioncast::test {
namespace {

constexpr size_t kKernelBufferBytes = 1024 * 1024;
constexpr uint8_t kFinalText = 0x81;
constexpr size_t kTwoByteLength = 126;

// Takes a server's frame of at most 64 KiB from the front, and returns its payload.
std::string_view TakeFrame(std::string_view& bytes) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  size_t header = 2;
  size_t length = byte(1);
  if (length == kTwoByteLength) {
    header = 4;
    length = static_cast<size_t>(byte(2)) << 8 | byte(3);
  }
  if (byte(0) != kFinalText || bytes.size() < header + length) std::abort();
  const std::string_view payload = bytes.substr(header, length);
  bytes.remove_prefix(header + length);
  return payload;
}

}  // namespace

EdgeSide::EdgeSide(BeginInterest begin)
    : hub_(
          [this] {
            edge::Hub::Options options;
            options.now = [this] { return thread_.loop().now; };
            return options;
          }(),
          {.begin = std::move(begin),
           .end = [](uint32_t) {},
           .read = [this](edge::ReadRequest request) { reads_.push_back(std::move(request)); }}) {
  auto sockets = std::make_unique<socketio::NamespaceHandlers>("/");
  edge::ServeSessions(*sockets, {}, access_, [this](const engineio::IoThread&) {
    return edge::SessionLine{
        hub_, [](const edge::Answer&, std::function<void(edge::AnswerOutcome)> done) { done({}); }};
  });
  rules_.namespaces.emplace("/", std::move(sockets));
  hub_.Attached();
}

EdgeSide::~EdgeSide() {
  for (const std::shared_ptr<engineio::Pipe>& pipe : pipes_) {
    pipe->client_left = true;
    if (pipe->is_readable()) std::exchange(pipe->readable, nullptr)();
  }
  RunTurns();
}

void EdgeSide::Connect(const std::string& session_id) {
  auto pipe = std::make_shared<engineio::Pipe>();
  pipe->to_client_max = kKernelBufferBytes;
  pipes_.push_back(pipe);
  engineio::FirstRequest first;
  first.headers = {{"User-Agent", "Mozilla/5.0"}};
  first.transport = "websocket";
  const std::string sid = absl::StrCat("connection ", pipes_.size());
  const auto connection = std::make_shared<engineio::Connection>(*this, sid, std::move(first));
  connections_[sid] = connection;
  engineio::TcpArrival arrival;
  arrival.descriptor = engineio::OwnedDescriptor(thread_.loop().Arrive(pipe));
  connection->OpenWebSocket(std::make_unique<socketio::ConnectionSockets>(rules_, *connection),
                            std::move(arrival), "");
  Send(*pipe, "40");
  Send(*pipe, absl::StrCat("42[\"subscribe\",\"", session_id, "\"]"));
}

void EdgeSide::Send(engineio::Pipe& pipe, std::string_view packet) {
  pipe.to_server += tests::ClientFrame(kFinalText, packet);
  while (pipe.is_readable()) std::exchange(pipe.readable, nullptr)();
  RunTurns();
}

void EdgeSide::Receive(const std::string& message) {
  if (!incoming_.ParseFromString(message)) std::abort();
  hub_.Received(incoming_);
  RunTurns();
}

void EdgeSide::RunTurns() {
  while (thread_.loop().RunPosted() || !reads_.empty()) {
    // A session without events has an empty fold, and an empty log.
    for (const edge::ReadRequest& request : std::exchange(reads_, {})) {
      hub_.PageArrived(
          request.read_id,
          {.outcome = edge::Page::Outcome::kPage, .top = {}, .through = 0, .events = {}});
    }
  }
}

// As EngineThread does, but for its slices: nothing else waits for a turn.
void EdgeSide::FlushSoon(std::shared_ptr<engineio::Connection> connection) {
  flush_list_.push_back(std::move(connection));
  if (flush_list_.size() == 1) thread_.Post([this] { FlushAll(); });
}

void EdgeSide::FlushAll() {
  for (size_t i = 0; i < flush_list_.size(); ++i) {
    const std::shared_ptr<engineio::Connection> connection = std::move(flush_list_[i]);
    connection->Flush();
  }
  flush_list_.clear();
}

size_t EdgeSide::TakeEvents(std::string_view name) {
  const std::string begin = absl::StrCat("42[\"", std::string(name), "\",{");
  size_t events = 0;
  for (const std::shared_ptr<engineio::Pipe>& pipe : pipes_) {
    std::string_view bytes = pipe->to_client;
    while (!bytes.empty()) events += TakeFrame(bytes).starts_with(begin) ? 1 : 0;
    pipe->to_client.clear();
  }
  return events;
}

}  // namespace sessioncast::test
