#include "edge/engineio/websocket_transport.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "edge/engineio/connection.h"

namespace sessioncast::engineio {
namespace {

// What one gathered write takes at most: the kernel copies what fits into its buffer anyway.
constexpr size_t kPacketsAWrite = 64;
// After so many writes in a row the others of the thread have their turn.
constexpr int kWritesInARow = 4;
// Pongs that a client does not read.
constexpr size_t kAheadBytesMax = 64 * 1024;

uint8_t OpcodeOf(const OutPacket& packet) {
  return packet.format == PacketFormat::kText ? kTextFrame : kBinaryFrame;
}

// A frame's header and, before a text packet's body, its type digit.
size_t WriteLead(const OutPacket& packet, char* out) {
  const size_t digits = packet.format == PacketFormat::kText ? 1 : 0;
  const size_t size = WriteFrameHeader(OpcodeOf(packet), packet.size() + digits, out);
  if (digits > 0) out[size] = static_cast<char>(packet.type);
  return size + digits;
}

}  // namespace

// The pieces of one write, and the leads that they point into.
struct WebSocketTransport::Gathered {
  std::array<iovec, 3 * kPacketsAWrite + 1> pieces;
  size_t count = 0;
  std::array<std::array<char, kFrameHeaderBytesMax + 1>, kPacketsAWrite> leads;
  size_t packets = 0;

  void Add(std::string_view bytes) {
    if (!bytes.empty()) pieces[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
  }
  // Without the first `skip` bytes, which are subtracted as they are found.
  void AddBehind(std::string_view bytes, size_t& skip) {
    const size_t skipped = std::min(skip, bytes.size());
    skip -= skipped;
    Add(bytes.substr(skipped));
  }
};

WebSocketTransport::WebSocketTransport(std::shared_ptr<Connection> connection, TcpArrival arrival,
                                       std::string response)
    : thread_(connection->thread()),
      connection_(std::move(connection)),
      stream_(thread_, std::move(arrival.descriptor)),
      limits_(connection_->limits()),
      reader_(&limits_.frames),
      ahead_(std::move(response)),
      early_bytes_(std::move(arrival.bytes)) {}

WebSocketTransport::~WebSocketTransport() = default;

void WebSocketTransport::Start() {
  const std::shared_ptr<WebSocketTransport> self = shared_from_this();
  Flush();
  ReadFrames(std::exchange(early_bytes_, {}));
  WaitReadable();
}

// ---- reader

void WebSocketTransport::WaitReadable() {
  if (step_ == Step::kClosed) return;
  stream_.WhenReadable([self = shared_from_this()] { self->OnReadable(); });
}

void WebSocketTransport::OnReadable() {
  if (step_ == Step::kClosed) return;
  std::string_view bytes;
  switch (const IoResult result = stream_.Read(bytes); result.kind) {
    case IoResult::Kind::kBytes:
      ReadFrames(bytes);
      break;
    case IoResult::Kind::kWouldBlock:
      break;
    case IoResult::Kind::kEnd:
      return CloseTcp(), Lose(DisconnectReason::kTransportClose, close_code::kNone);
    case IoResult::Kind::kError:
      return CloseTcp(), Lose(DisconnectReason::kTransportError, close_code::kNone);
  }
  WaitReadable();
}

void WebSocketTransport::ReadFrames(std::string_view bytes) {
  while (step_ == Step::kOpen) {
    FrameEvent event = reader_.Read(bytes);
    if (event.kind == FrameEvent::Kind::kNothing) return;
    OnFrame(std::move(event));
  }
}

void WebSocketTransport::OnFrame(FrameEvent event) {
  switch (event.kind) {
    case FrameEvent::Kind::kText:
    case FrameEvent::Kind::kBinary:
      return OnPacket(std::move(event));
    case FrameEvent::Kind::kPing:
      return SendBytesAhead(ControlFrame(kPongFrame, event.payload));
    case FrameEvent::Kind::kClose:
      return Lose(DisconnectReason::kTransportClose, event.code);
    case FrameEvent::Kind::kBroken:
      return Lose(DisconnectReason::kTransportError, event.code);
    case FrameEvent::Kind::kPong:
    case FrameEvent::Kind::kNothing:
      return;
  }
}

void WebSocketTransport::OnPacket(FrameEvent event) {
  const std::shared_ptr<Connection> connection = connection_;
  std::optional<Packet> packet;
  if (event.kind == FrameEvent::Kind::kText) {
    packet = DecodePacket(event.payload);
  } else {
    packet.emplace();
    packet->format = PacketFormat::kBinary;
    packet->decoded = std::move(event.payload);
  }
  if (packet && queue_ == nullptr) return connection->OnProbePacket(*packet);
  if (!packet || !connection->Receive(*packet)) {
    Lose(DisconnectReason::kParseError, close_code::kNone);
  }
}

void WebSocketTransport::Lose(DisconnectReason reason, uint16_t close_code) {
  if (!connection_) return;
  const std::shared_ptr<Connection> connection = connection_;
  if (queue_ != nullptr) DropUnsent(*queue_);
  Finish(close_code, queue_ != nullptr ? queue_->TakeAll() : OutQueue());
  connection->OnWebSocketLost(this, reason);
}

// ---- writer

bool WebSocketTransport::IsWritable() const { return ahead_.empty() && !waits_writable_; }

void WebSocketTransport::SendAhead(const OutPacket& packet) {
  char lead[kFrameHeaderBytesMax + 1];
  std::string frame(lead, WriteLead(packet, lead));
  frame.append(packet.head());
  SendBytesAhead(frame);
}

void WebSocketTransport::SendBytesAhead(std::string_view bytes) {
  ahead_.append(bytes);
  if (ahead_.size() > kAheadBytesMax) {
    return Lose(DisconnectReason::kSlowConsumer, close_code::kPolicy);
  }
  Flush();
}

void WebSocketTransport::Flush() {
  if (waits_writable_ || step_ == Step::kShut || step_ == Step::kClosed) return;
  for (int writes = 0;; ++writes) {
    Gathered gathered;
    Gather(gathered);
    if (gathered.count == 0) return OnAllWritten();
    const bool yields = writes == kWritesInARow;
    const IoResult result = yields ? IoResult{IoResult::Kind::kWouldBlock}
                                   : stream_.Write(gathered.pieces.data(), gathered.count);
    const size_t packets_left =
        gathered.packets - (result.kind == IoResult::Kind::kBytes ? OnWritten(result.bytes) : 0);
    TakeBackUnsent(packets_left);
    if (result.kind == IoResult::Kind::kWouldBlock) return WaitWritable();
    if (result.kind != IoResult::Kind::kBytes) {
      return CloseTcp(), Lose(DisconnectReason::kTransportError, close_code::kNone);
    }
  }
}

// Of the packets that were gathered and are still in the queue, those of which nothing has left.
void WebSocketTransport::TakeBackUnsent(size_t packets) {
  if (packets == 0) return;
  const size_t begun = front_leaves() ? 1 : 0;
  queue_->TakeBack(std::next(queue_->begin(), begun), packets - begun);
}

void WebSocketTransport::Gather(Gathered& gathered) const {
  const bool has_packets = queue_ != nullptr && !queue_->empty();
  auto packet = has_packets ? queue_->begin() : decltype(queue_->begin())();
  if (front_sent_ > 0) GatherPacket(*packet++, front_sent_, gathered);
  gathered.Add(ahead_);
  if (!has_packets) return;
  for (; packet != queue_->end() && gathered.packets < kPacketsAWrite; ++packet) {
    GatherPacket(*packet, 0, gathered);
  }
}

// A packet leaves the queue: here, and in PollingTransport::TakePayload, it gets the form in which
// it is sent.
void WebSocketTransport::GatherPacket(OutPacket& packet, size_t skip, Gathered& gathered) const {
  queue_->Complete(packet);
  auto& lead = gathered.leads[gathered.packets++];
  const size_t lead_size = WriteLead(packet, lead.data());
  gathered.AddBehind(std::string_view(lead.data(), lead_size), skip);
  gathered.AddBehind(packet.head(), skip);
  gathered.AddBehind(packet.tail(), skip);
}

// Returns how many packets have left.
size_t WebSocketTransport::OnWritten(size_t bytes) {
  const size_t packets = queue_ != nullptr ? queue_->packets() : 0;
  if (front_sent_ > 0) bytes = OnFrontWritten(bytes);
  const size_t ahead = std::min(bytes, ahead_.size());
  ahead_.erase(0, ahead);
  if (ahead_.empty()) ahead_.shrink_to_fit();
  for (bytes -= ahead; bytes > 0;) bytes = OnFrontWritten(bytes);
  return queue_ != nullptr ? packets - queue_->packets() : 0;
}

// Returns the bytes that belong to what is behind the front packet.
size_t WebSocketTransport::OnFrontWritten(size_t bytes) {
  char lead[kFrameHeaderBytesMax + 1];
  const OutPacket& front = queue_->front();
  const size_t size = WriteLead(front, lead) + front.size();
  if (front_sent_ + bytes < size) {
    front_sent_ += bytes;
    return 0;
  }
  const size_t left = front_sent_ + bytes - size;
  if (connection_) connection_->ObserveSent(front);
  queue_->PopFront();
  front_sent_ = 0;
  return left;
}

void WebSocketTransport::WaitWritable() {
  waits_writable_ = true;
  if (step_ == Step::kOpen) ArmDeadline(limits_.write_timeout);
  stream_.WhenWritable([self = shared_from_this()] {
    self->waits_writable_ = false;
    if (self->step_ == Step::kOpen) self->deadline_.Cancel();
    self->Flush();
  });
  if (connection_ && queue_ != nullptr) connection_->OnQueueTaken();
}

void WebSocketTransport::OnAllWritten() {
  if (step_ == Step::kLastFrame) return ShutDown();
  if (step_ == Step::kFinishing) {
    step_ = Step::kLastFrame;
    ahead_ = CloseFrame(close_code_);
    return Flush();
  }
  if (connection_ && queue_ != nullptr) {
    const std::shared_ptr<Connection> connection = connection_;
    connection->OnQueueTaken();
  }
}

// ---- the end

void WebSocketTransport::DropUnsent(OutQueue& queue) const {
  if (front_sent_ > 0) {
    queue.DropBehindFront();
  } else {
    queue.Clear();
  }
}

void WebSocketTransport::Finish(uint16_t close_code, OutQueue rest) {
  if (step_ != Step::kOpen) {
    connection_ = nullptr;
    return;
  }
  step_ = Step::kFinishing;
  connection_ = nullptr;
  rest_ = std::make_unique<OutQueue>(std::move(rest));
  queue_ = rest_.get();
  close_code_ = close_code;
  ArmDeadline(limits_.last_frame_timeout);
  Flush();
}

void WebSocketTransport::ShutDown() {
  step_ = Step::kShut;
  rest_ = nullptr;
  queue_ = nullptr;
  stream_.ShutdownWriting();
  ArmDeadline(limits_.client_close_timeout);
}

void WebSocketTransport::CloseTcp() {
  step_ = Step::kClosed;
  deadline_.Cancel();
  stream_.Close();
}

void WebSocketTransport::ArmDeadline(std::chrono::milliseconds delay) {
  deadline_ = thread_.After(delay, [weak = weak_from_this()] {
    if (std::shared_ptr<WebSocketTransport> self = weak.lock()) self->OnDeadline();
  });
}

void WebSocketTransport::OnDeadline() {
  CloseTcp();
  Lose(DisconnectReason::kSlowConsumer, close_code::kNone);
}

}  // namespace sessioncast::engineio
