#include "tests/fuzz/connection/server_side.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "edge/session_socket.h"
#include "edge/socketio/namespace_handlers.h"
#include "spdlog/spdlog.h"

namespace sessioncast::fuzz {
namespace {

using engineio::IoThread;
using engineio::Pipe;
using socketio::Json;
using socketio::Socket;
using std::chrono::milliseconds;

constexpr char kEpoch[] = "k3JxQ0aB";
constexpr size_t kIoThreads = 2;
constexpr size_t kAcksMax = 4;
// More than a hub has queued for one event (Hub::HoldBudget).
constexpr size_t kQueueBytesMax = 40 * 1024;
// What one turn may queue beyond the limit: an event of the largest size, and what is around it.
constexpr size_t kPacketBytesMax = 64 * 1024;
// A thread that has more to do than this without a byte or a moment coming does it for ever.
constexpr int kStepsMax = 100'000;
// A connection: heartbeat, upgrade, poll, CONNECT, attachments, and the acks of two sockets.
constexpr size_t kTimersAConnection = 5 + 2 * kAcksMax;
constexpr milliseconds kStopTime{300};

std::string EventOf(const std::string& session_id, uint64_t sequence) {
  v1::Event event;
  event.set_session_id(session_id);
  event.mutable_position()->set_epoch(kEpoch);
  event.mutable_position()->set_sequence(sequence);
  event.mutable_error()->set_message(std::string(sequence * 37 % 700, 'e'));
  return event.SerializeAsString();
}

}  // namespace

// ---- control

ControlLine::ControlLine(IoThread& thread, const Tops& tops)
    : thread_(thread), tops_(tops), hub_(Options(), Upward()) {}

edge::Hub::Options ControlLine::Options() const {
  edge::Hub::Options options;
  options.pace = {.queue_bytes_max = 4'096, .slow_queue_bytes_min = 512};
  options.page_bytes_max = 2'048;
  options.tail_bytes_max = 2'048;
  options.now = [this] { return thread_.now(); };
  return options;
}

edge::Hub::Upward ControlLine::Upward() {
  edge::Hub::Upward upward;
  upward.begin = [this](uint32_t id, const std::string& session_id) {
    interests_[id] = {session_id, std::nullopt};
    thread_.Post([this, id] { FeedOne(id); });
  };
  upward.end = [this](uint32_t id) { interests_.erase(id); };
  upward.read = [this](edge::ReadRequest request) {
    thread_.Post([this, request = std::move(request)] {
      hub_.PageArrived(request.read_id, Read(request));
      if (!attached_ && !retry_.pending()) {
        retry_ = thread_.After(milliseconds(100), [this] { hub_.Retry(); });
      }
    });
  };
  return upward;
}

edge::Page ControlLine::Read(const edge::ReadRequest& request) {
  edge::Page page;
  if (!attached_) return page;
  const auto found = tops_.find(request.session_id);
  const uint64_t top = found == tops_.end() ? 0 : found->second;
  page.top = {top == 0 ? "" : kEpoch, top};
  page.through = top;
  page.outcome = edge::Page::Outcome::kPage;
  if (request.from.kind == edge::Place::Kind::kFold) return page;  // these events leave no fold
  const edge::Position& after = request.from.position;
  const bool is_start = after.epoch.empty() && after.sequence == 0;
  if (!is_start && (after.epoch != page.top.epoch || after.sequence > top)) {
    page.outcome = edge::Page::Outcome::kOutOfRange;
    return page;
  }
  size_t bytes = 0;
  page.through = after.sequence;
  while (page.through < top && (bytes == 0 || bytes < request.page_bytes_max)) {
    page.events.push_back(EventOf(request.session_id, ++page.through));
    bytes += page.events.back().size();
  }
  return page;
}

void ControlLine::FeedOne(uint32_t interest_id) {
  const auto found = interests_.find(interest_id);
  if (found == interests_.end() || !attached_) return;
  Interest& interest = found->second;
  const auto known = tops_.find(interest.session_id);
  const uint64_t top = known == tops_.end() ? 0 : known->second;
  if (!interest.at) {
    interest.at = top;
    return hub_.Announced(interest_id, {top == 0 ? "" : kEpoch, top});
  }
  std::vector<std::string> events;
  while (*interest.at < top) events.push_back(EventOf(interest.session_id, ++*interest.at));
  if (!events.empty()) hub_.Arrived(interest_id, events);
}

void ControlLine::Feed() {
  thread_.Post([this] {
    std::vector<uint32_t> ids;
    for (const auto& [id, interest] : interests_) ids.push_back(id);
    for (const uint32_t id : ids) FeedOne(id);
  });
}

void ControlLine::Attach() {
  thread_.Post([this] {
    if (std::exchange(attached_, true)) return;
    interests_.clear();
    hub_.Attached();
  });
}

void ControlLine::Detach() {
  thread_.Post([this] {
    if (!std::exchange(attached_, false)) return;
    interests_.clear();
    hub_.Detached();
  });
}

// ---- the receiver of a connection, and what is seen of it

class ServerSide::WatchedSink : public engineio::MessageSink {
 public:
  WatchedSink(ServerSide& server, engineio::Connection& connection)
      : server_(server), connection_(connection), sockets_(server.rules_, connection) {
    server_.sinks_.push_back(this);
  }
  ~WatchedSink() override { server_.sinks_.remove(this); }

  const engineio::Connection& connection() const { return connection_; }

  void OnText(std::string_view text) override {
    Require(connection_.is_open(), "nothing is received after the end");
    sockets_.OnText(text);
  }
  void OnBinary(std::string_view bytes) override {
    Require(connection_.is_open(), "nothing is received after the end");
    sockets_.OnBinary(bytes);
  }
  void OnDrained() override { sockets_.OnDrained(); }
  void OnClose(engineio::DisconnectReason reason) override {
    Require(!std::exchange(closed_, true), "a connection ends once");
    NoteState(absl::StrCat("ended: ", std::string(ToString(reason))));
    sockets_.OnClose(reason);
  }

 private:
  ServerSide& server_;
  engineio::Connection& connection_;
  socketio::ConnectionSockets sockets_;
  bool closed_ = false;
};

// ---- the server

ServerSide::ServerSide(Dice& dice) : dice_(dice), engine_(Options()) {
  spdlog::set_level(spdlog::level::off);
  rules_.packets = {.json_depth_max = 8, .attachments_max = 3, .attachments_bytes_max = 1'024};
  rules_.awaited_acks_max = kAcksMax;
  rules_.rates = {{"messages_per_s_max", 20, 12}, {"subscribes_per_s_max", 10, 4}};
  rules_.event_rates.emplace("subscribe", 1);
  rules_.connect_timeout = std::chrono::seconds(10);
  rules_.attachments_timeout = std::chrono::seconds(15);
  rules_.observer.disconnected = [](const Socket&, engineio::DisconnectReason reason) {
    using engineio::DisconnectReason;
    if (reason == DisconnectReason::kClientNamespaceDisconnect ||
        reason == DisconnectReason::kServerNamespaceDisconnect) {
      NoteState(absl::StrCat("left: ", std::string(ToString(reason))));
    }
  };
  for (const auto& thread : engine_.threads()) {
    thread->loop().now += std::chrono::hours(1);
    lines_.push_back(std::make_unique<ControlLine>(*thread, tops_));
  }
  auto sessions = std::make_unique<socketio::NamespaceHandlers>("/");
  edge::ServeSessions(*sessions, {.sessions_max = 3}, access_, [this](const IoThread& thread) {
    return edge::SessionLine{
        lines_[thread.index()]->hub(),
        [](const edge::Answer&, std::function<void(edge::AnswerOutcome)> done) { done({}); }};
  });
  rules_.namespaces.emplace("/", std::move(sessions));
  auto custom = std::make_unique<socketio::NamespaceHandlers>("/custom");
  ServeCustom(*custom);
  rules_.namespaces.emplace("/custom", std::move(custom));
  Require(engine_.Start().ok(), "the engine starts");
}

ServerSide::~ServerSide() { Stop(); }

engineio::EngineOptions ServerSide::Options() {
  engineio::EngineOptions options;
  options.io_threads = kIoThreads;
  options.connections_max = 5;
  options.connections_per_address_max = 4;
  options.trusted_proxies = {"192.0.2.1"};  // where all clients are (in_memory/edge/engineio/listener.h)
  options.admission = {.handshakes_per_s_max = 8,
                       .wait_max = std::chrono::seconds(1),
                       .burst = milliseconds(500)};
  options.connection.post_bytes_max = 4'096;
  options.connection.post_packets_max = 8;
  options.connection.poll_packets_max = 4;
  options.connection.queue_bytes_max = kQueueBytesMax;
  options.connection.frames = {
      .message_bytes_max = 2'048, .fragments_max = 8, .control_frames_max = 8};
  options.http.header_bytes_max = 1'024;
  options.cookie = "io";
  options.files.version = "1";
  options.files.files.emplace("socket.io.js", engineio::StaticFile{"text/javascript", "// it"});
  options.refusal = [](const engineio::HttpRequest& request) -> std::optional<std::string> {
    if (engineio::FindField(request.headers, "X-Refused").empty()) return std::nullopt;
    return "refused";
  };
  options.on_request = [](IoThread& thread, const engineio::HttpRequest& request,
                          engineio::HttpReply reply) {
    engineio::HttpResponse response;
    response.headers = {{"Content-Type", "application/octet-stream"}};
    response.body = request.body;
    if (request.path != "/later") return reply(std::move(response));
    thread.Post([reply = std::move(reply), response = std::move(response)] { reply(response); });
  };
  options.on_other_protocol = [](std::string_view, std::string_view) {
    NoteState("http: another protocol");
  };
  options.accept = [this](engineio::Connection& connection) {
    return std::make_unique<WatchedSink>(*this, connection);
  };
  return options;
}

void ServerSide::ServeCustom(socketio::Namespace& sockets) {
  sockets.Use([](Socket& socket, socketio::Namespace::Next next) {
    const Json& auth = socket.handshake().auth;
    std::optional<socketio::ConnectRefusal> refusal;
    if (auth.contains("refuse")) refusal = {"refused", auth};
    if (!auth.contains("later")) return next(refusal);
    socket.thread().Post([next = std::move(next), refusal] { next(refusal); });
  });
  sockets.OnConnect([this](Socket& socket) {
    std::erase_if(custom_, [](const auto& known) { return known.expired(); });
    custom_.push_back(socket.weak_from_this());
    if (socket.handshake().auth.contains("tail")) {
      socket.SetLastArgument([](const socketio::Tag&) { return std::string("tail"); });
    }
  });
  sockets.On("leave", [](Socket& socket, const Json&, socketio::Ack) { socket.Disconnect(); });
  sockets.On("close", [](Socket& socket, const Json&, socketio::Ack) {
    socket.CloseConnection(engineio::DisconnectReason::kForcedServerClose);
  });
  sockets.OnOverRate([](Socket& socket, const socketio::RateLimit& passed, socketio::Ack ack) {
    NoteState("rate: a message is refused");
    socket.Emit("error", Json::array({passed.name}));
    ack(Json::array({passed.name}));
  });
  sockets.OnOther([](Socket& socket, const std::string& event, const Json& arguments,
                     socketio::Ack ack) {
    socket.Emit(event, arguments);
    ack(arguments);
  });
}

bool ServerSide::Connect(std::shared_ptr<Pipe> pipe) {
  const auto& connect = engine_.threads().front()->loop().connect;
  if (connect == nullptr) return false;
  pipes_.push_back(pipe);
  connect(std::move(pipe));
  return true;
}

// ---- steps

void ServerSide::Run() {
  int steps = 0;
  while (Step()) {
    Require(++steps < kStepsMax, "it comes to rest");
    Check();
  }
  Check();
  CheckHub();
}

bool ServerSide::Step() {
  const bool looks_at_sockets = dice_.Roll(2) == 0;
  if (looks_at_sockets && StepSocket()) return true;
  const auto& threads = engine_.threads();
  const size_t first = dice_.Roll(threads.size());
  for (size_t i = 0; i < threads.size(); ++i) {
    IoThread::Loop& loop = threads[(first + i) % threads.size()]->loop();
    if (loop.RunPosted() || loop.RunDue()) return true;
  }
  return !looks_at_sockets && StepSocket();
}

bool ServerSide::StepSocket() {
  std::erase_if(pipes_, [](const auto& pipe) {
    return pipe->server_left && pipe->readable == nullptr && pipe->writable == nullptr;
  });
  std::vector<std::function<void()>*> ready;
  for (const std::shared_ptr<Pipe>& pipe : pipes_) {
    if (pipe->is_readable()) ready.push_back(&pipe->readable);
    if (pipe->is_writable()) ready.push_back(&pipe->writable);
  }
  if (ready.empty()) return false;
  const std::function<void()> handler =
      std::exchange(*ready[dice_.Roll(ready.size())], nullptr);
  handler();
  return true;
}

void ServerSide::Advance(milliseconds by) {
  for (const auto& thread : engine_.threads()) thread->loop().now += by;
}

void ServerSide::Publish(const std::string& session_id, size_t events) {
  tops_[session_id] += events;
  for (const auto& line : lines_) line->Feed();
}

void ServerSide::SetAttached(bool attached) {
  for (const auto& line : lines_) attached ? line->Attach() : line->Detach();
}

void ServerSide::Act(size_t which, size_t what, size_t bytes) {
  std::erase_if(custom_, [](const auto& known) { return known.expired(); });
  if (custom_.empty()) return;
  const std::shared_ptr<Socket> socket = custom_[which % custom_.size()].lock();
  socket->thread().Post([socket, what, bytes] {
    const std::string text(bytes, 'x');
    switch (what % 10) {
      case 0:
        return socket->Emit("text", text);
      case 1: {
        const Json binary = Json::binary(std::vector<uint8_t>(bytes, 7));
        return socket->Emit("binary", Json::array({binary, {{"again", binary}}}));
      }
      case 2:
        return socket->EmitWithAck("ask", text, std::chrono::seconds(5),
                                   [](absl::Status, const Json&) {});
      case 3:
        return socket->EmitVolatile("volatile", text);
      case 4:
        return socket->Disconnect();
      case 5:
        return socket->CloseConnection(engineio::DisconnectReason::kForcedServerClose);
      case 6:
        return socket->CloseConnection(engineio::DisconnectReason::kLimit);
      case 7:
        return socket->AwaitDrain(bytes);
      case 8:
        return socket->DropQueued([](const socketio::Tag&) { return true; });
      default:
        socket->SetUnsentMax(static_cast<int>(bytes));
        return socket->Flush();
    }
  });
}

// ---- what must hold

void ServerSide::Check() {
  for (const WatchedSink* sink : sinks_) {
    phases_.Look(sink->connection(), &NoteState);
    Require(sink->connection().queued_bytes() <= kQueueBytesMax + kPacketBytesMax,
            "a queue has a limit");
  }
  phases_.LookAtRest(&NoteState);
  if (!IoThread::Loop::arriving.empty()) NoteState("http: moves to another thread");
}

void ServerSide::CheckHub() {
  size_t timers = 0;
  size_t streams = 0;
  for (const auto& thread : engine_.threads()) {
    timers += thread->loop().timers();
    streams += thread->loop().open_streams;
  }
  // A thread: the handshakes that wait, and control's retry.
  Require(timers <= streams + sinks_.size() * kTimersAConnection + 2 * kIoThreads,
          "timers have a limit");
  for (const auto& line : lines_) {
    const edge::Hub::Counts counts = line->hub().counts();
    if (counts.live > 0) NoteState("sessions: live");
    if (counts.behind > 0) NoteState("sessions: behind");
    if (counts.overflowed > 0) NoteState("sessions: slow");
  }
}

void ServerSide::LetWaitersRun(milliseconds time) {
  for (const auto& thread : engine_.threads()) {
    thread->loop().run_for_waiter = [this, time] {
      // What is posted meanwhile is posted by I/O threads.
      LetNobodyRun();
      Run();
      for (milliseconds passed{0}; passed < time; passed += milliseconds(5)) {
        Advance(milliseconds(5));
        Run();
      }
      LetWaitersRun(time);
    };
  }
}

void ServerSide::LetNobodyRun() {
  for (const auto& thread : engine_.threads()) thread->loop().run_for_waiter = nullptr;
}

void ServerSide::RunFor(const std::function<void()>& waits, milliseconds time) {
  LetWaitersRun(time);
  waits();
  LetNobodyRun();
}

void ServerSide::Stop() {
  if (std::exchange(stopped_, true)) return;
  RunFor([this] { engine_.Stop(); }, kStopTime);
  Require(engine_.connections() == 0, "no connection is left when the engine has stopped");
}

void ServerSide::CheckNothingIsHeld() {
  SetAttached(false);
  Run();
  for (int i = 0; i < 40; ++i) {
    Advance(std::chrono::seconds(5));
    Run();
  }
  engineio::Held held;
  RunFor([&] { held = engine_.CountHeld(); }, milliseconds(0));
  Require(held.sids == 0, "no connection is left when all clients have gone");
  Require(held.tcp_connections == 0, "no TCP connection is left");
  Require(held.queued_bytes == 0, "nothing is queued");
  Require(held.timers == 0, "no timer is armed");
  Require(engine_.connections() == 0, "no connection is counted");
  Require(sinks_.empty(), "no receiver is left");
}

}  // namespace sessioncast::fuzz
