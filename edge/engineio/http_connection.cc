#include "edge/engineio/http_connection.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace sessioncast::engineio {
namespace {

// Closing with unread bytes resets the TCP connection, and may take the reply with it: so they are
// read for a while.
constexpr std::chrono::milliseconds kLingerTime{1'000};
constexpr size_t kLingerBytesMax = 4 * 1024 * 1024;

bool HasNoBody(unsigned status) { return status == 204 || status == 304; }

}  // namespace

HttpConnection::HttpConnection(IoThread& thread, const HttpLimits& limits, const Answerer& answerer,
                               TcpArrival arrival)
    : thread_(thread),
      limits_(limits),
      answerer_(answerer),
      stream_(thread, std::move(arrival.descriptor)),
      remote_address_(std::move(arrival.remote_address)),
      in_(std::move(arrival.bytes)),
      head_(std::move(arrival.head)) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::Start() {
  const std::shared_ptr<HttpConnection> self = shared_from_this();
  if (head_) {
    BeginAnswer();
  } else {
    ArmDeadline(limits_.header_timeout);
  }
  Advance();
  WaitReadable();
}

size_t HttpConnection::BufferBytesMax() const {
  if (step_ == Step::kBody) return static_cast<size_t>(head_->content_length);
  return 2 * limits_.header_bytes_max + 4;
}

void HttpConnection::WaitReadable() {
  if (waiting_readable_ || half_closed_ || step_ == Step::kClosed) return;
  // A client that pipelines more than fits waits until its turn comes.
  if (step_ != Step::kLingering && in_.size() > BufferBytesMax()) return;
  waiting_readable_ = true;
  stream_.WhenReadable([self = shared_from_this()] {
    self->waiting_readable_ = false;
    self->OnReadable();
  });
}

void HttpConnection::OnReadable() {
  if (step_ == Step::kClosed) return;
  std::string_view bytes;
  switch (const IoResult result = stream_.Read(bytes); result.kind) {
    case IoResult::Kind::kWouldBlock:
      break;
    case IoResult::Kind::kEnd:
      OnEnd();
      break;
    case IoResult::Kind::kError:
      Drop();
      break;
    case IoResult::Kind::kBytes:
      if (step_ == Step::kLingering) {
        lingered_bytes_ += bytes.size();
        if (lingered_bytes_ > kLingerBytesMax) Drop();
        break;
      }
      if (step_ == Step::kHead && in_.empty() && request_number_ > 0) {
        ArmDeadline(limits_.header_timeout);
      }
      in_.append(bytes);
      Advance();
  }
  WaitReadable();
}

void HttpConnection::OnEnd() {
  half_closed_ = true;
  if (step_ == Step::kReplying) return;
  const bool reply_is_due = step_ == Step::kAnswering && gone_ == nullptr;
  if (!reply_is_due) return Drop();
  // Nobody waits for bytes any more, so this alone holds the connection until the reply.
  deadline_ = thread_.After(limits_.idle_timeout, [self = shared_from_this()] { self->Drop(); });
}

void HttpConnection::Advance() {
  if (advancing_) return;
  advancing_ = true;
  bool moved = true;
  while (moved) {
    if (step_ == Step::kHead) {
      moved = ReadNextHead();
    } else if (step_ == Step::kBody) {
      moved = ReadRestOfBody();
    } else {
      moved = false;
    }
  }
  advancing_ = false;
}

bool HttpConnection::ReadNextHead() {
  if (in_.empty()) return false;
  if (const std::string_view other = OtherProtocol(in_); !other.empty()) {
    DropOtherProtocol(other);
    return false;
  }
  // A head is parsed when a line has ended, not at each byte of it.
  const bool has_new_line = in_.find('\n', searched_) != std::string::npos;
  const bool is_first_look = searched_ == 0;
  if (!has_new_line && !is_first_look && in_.size() <= limits_.header_bytes_max) return false;
  std::variant<PartialHead, BadHead, ReadHead> parsed = ParseHead(in_, limits_.header_bytes_max);
  searched_ = in_.size();
  if (std::holds_alternative<PartialHead>(parsed)) return false;
  searched_ = 0;
  if (const BadHead* bad = std::get_if<BadHead>(&parsed)) {
    ReplyBadRequest(bad->status);
  } else {
    OnHead(std::get<ReadHead>(std::move(parsed)));
  }
  return true;
}

void HttpConnection::OnHead(ReadHead read) {
  in_.erase(0, read.bytes);
  head_ = std::move(read.head);
  const size_t owner = answerer_.owner_of(*head_);
  if (owner != thread_.index()) {
    MoveTo(owner);
  } else {
    BeginAnswer();
  }
}

void HttpConnection::MoveTo(size_t owner) {
  TcpArrival arrival;
  arrival.remote_address = remote_address_;
  arrival.bytes = std::move(in_);
  arrival.head = std::move(head_);
  step_ = Step::kClosed;
  deadline_.Cancel();
  arrival.descriptor = stream_.Release();
  answerer_.move_to(owner, std::move(arrival));
}

void HttpConnection::BeginAnswer() {
  ++request_number_;
  step_ = Step::kAnswering;
  deadline_.Cancel();
  keep_alive_ = head_->keep_alive && keep_alive_;
  reply_fields_.clear();
  head_->request.remote_address = remote_address_;
  answerer_.answer(shared_from_this());
}

void HttpConnection::ReadBody(std::function<void()> done) {
  assert(step_ == Step::kAnswering);
  body_done_ = std::move(done);
  step_ = Step::kBody;
  ArmDeadline(limits_.body_timeout);
  if (head_->wants_continue && in_.size() < head_->content_length) {
    const std::string go_on = FormatHead(100, {});
    const iovec piece = {const_cast<char*>(go_on.data()), go_on.size()};
    stream_.Write(&piece,
                  1);  // so few bytes are taken, or the client has its own time-out for them
  }
  Advance();
  WaitReadable();
}

bool HttpConnection::ReadRestOfBody() {
  if (in_.size() < head_->content_length) return false;
  head_->request.body = in_.substr(0, head_->content_length);
  in_.erase(0, head_->content_length);
  head_->content_length = 0;
  step_ = Step::kAnswering;
  deadline_.Cancel();
  std::exchange(body_done_, nullptr)();
  return true;
}

void HttpConnection::DropOtherProtocol(std::string_view protocol) {
  if (request_number_ == 0) answerer_.other_protocol(remote_address_, protocol);
  Drop();
}

void HttpConnection::ReplyBadRequest(unsigned status) {
  // What goes with every reply goes with this one too, if it is known whom it is for.
  if (step_ == Step::kHead) reply_fields_.clear();
  head_.emplace();
  keep_alive_ = false;
  step_ = Step::kAnswering;
  HttpResponse response;
  response.status = status;
  Reply(std::move(response));
}

void HttpConnection::Reply(HttpResponse response) {
  if (step_ != Step::kAnswering && step_ != Step::kBody) return;
  // What was not read of the request cannot be skipped.
  if (head_->content_length > 0) keep_alive_ = false;
  HttpFields fields = std::move(response.headers);
  fields.insert(fields.end(), reply_fields_.begin(), reply_fields_.end());
  if (!HasNoBody(response.status) || response.status == 204) {
    fields.emplace_back("Content-Length", absl::StrCat(response.body.size()));
  }
  fields.emplace_back("Connection", keep_alive_ ? "keep-alive" : "close");
  out_ = FormatHead(response.status, fields);
  if (head_->request.method != "HEAD" && !HasNoBody(response.status)) out_ += response.body;
  out_sent_ = 0;
  gone_ = nullptr;
  body_done_ = nullptr;
  step_ = Step::kReplying;
  ArmDeadline(limits_.write_timeout);
  WriteReply();
}

void HttpConnection::WriteReply() {
  if (step_ != Step::kReplying) return;
  while (out_sent_ < out_.size()) {
    const iovec rest = {out_.data() + out_sent_, out_.size() - out_sent_};
    const IoResult result = stream_.Write(&rest, 1);
    if (result.kind == IoResult::Kind::kWouldBlock) {
      stream_.WhenWritable([self = shared_from_this()] { self->WriteReply(); });
      return;
    }
    if (result.kind != IoResult::Kind::kBytes) return Drop();
    out_sent_ += result.bytes;
    if (out_sent_ < out_.size()) ArmDeadline(limits_.write_timeout);
  }
  OnReplyWritten();
}

void HttpConnection::OnReplyWritten() {
  out_ = std::string();
  if (!keep_alive_) return Linger();
  if (half_closed_ && in_.empty()) return Drop();
  head_.reset();
  step_ = Step::kHead;
  ArmDeadline(in_.empty() ? limits_.idle_timeout : limits_.header_timeout);
  Advance();
  WaitReadable();
}

void HttpConnection::Linger() {
  step_ = Step::kLingering;
  in_ = std::string();
  stream_.ShutdownWriting();
  if (half_closed_) return Drop();
  ArmDeadline(kLingerTime);
  WaitReadable();
}

TcpArrival HttpConnection::BecomeWebSocket() {
  TcpArrival arrival;
  arrival.remote_address = remote_address_;
  arrival.bytes = std::move(in_);
  in_.clear();
  step_ = Step::kClosed;
  deadline_.Cancel();
  gone_ = nullptr;
  arrival.descriptor = stream_.Release();
  return arrival;
}

void HttpConnection::Drop() {
  if (step_ == Step::kClosed) return;
  const std::shared_ptr<HttpConnection> self = shared_from_this();
  step_ = Step::kClosed;
  deadline_.Cancel();
  body_done_ = nullptr;
  stream_.Close();
  if (gone_) std::exchange(gone_, nullptr)();
}

void HttpConnection::Finish() {
  keep_alive_ = false;
  if (step_ == Step::kHead || step_ == Step::kBody) Drop();
}

void HttpConnection::ArmDeadline(std::chrono::milliseconds delay) {
  deadline_ = thread_.After(delay, [weak = weak_from_this()] {
    if (std::shared_ptr<HttpConnection> self = weak.lock()) self->OnDeadline();
  });
}

void HttpConnection::OnDeadline() {
  const bool has_begun = step_ == Step::kBody || (step_ == Step::kHead && !in_.empty());
  if (!has_begun) return Drop();
  std::function<void()> gone = std::exchange(gone_, nullptr);
  ReplyBadRequest(408);
  if (gone) gone();
}

}  // namespace sessioncast::engineio
