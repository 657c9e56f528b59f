#include "sessioncast/session_stream.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client_sdk/cpp/backoff.h"
#include "client_sdk/cpp/line.h"
#include "grpcpp/support/client_callback.h"
#include "sessioncast/client.h"

namespace sessioncast {
namespace {

using Clock = std::chrono::steady_clock;

// One StreamSession call. A message is read ahead; gRPC's own thread polls the connection, however
// long nobody takes one.
class StreamCall : public grpc::ClientReadReactor<v1::StreamSessionResponse> {
 public:
  StreamCall(Line& line, const v1::StreamSessionRequest& request) : line_(line), request_(request) {
    line_.sessions().async()->StreamSession(&context_, &request_, this);
    AddHold();  // reads are asked for by whoever takes the messages
    StartRead(&arriving_);
    StartCall();
  }
  // Waits for its end.
  ~StreamCall() override {
    context_.TryCancel();
    const absl::MutexLock lock(&mutex_);
    leaving_ = true;
    if (has_message_) {
      has_message_ = false;
      StartRead(&arriving_);
    }
    mutex_.Await(absl::Condition(&done_));
  }

  // Whether control has the call, which its headers say; false: the call has ended without any.
  bool AwaitHeard() {
    const absl::MutexLock lock(&mutex_);
    const auto is_known = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return heard_ || done_; };
    mutex_.Await(absl::Condition(&is_known));
    return heard_;
  }

  // The next message, or how the call ended.
  absl::StatusOr<std::optional<v1::StreamSessionResponse>> Take() {
    const absl::MutexLock lock(&mutex_);
    const auto is_there = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return has_message_ || done_;
    };
    mutex_.Await(absl::Condition(&is_there));
    if (!has_message_) {
      if (end_.ok()) return std::nullopt;
      return end_;
    }
    v1::StreamSessionResponse message = std::move(arriving_);
    has_message_ = false;
    arriving_.Clear();
    StartRead(&arriving_);
    return message;
  }

  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadInitialMetadataDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    heard_ = ok;
  }
  void OnReadDone(bool ok) override {
    {
      const absl::MutexLock lock(&mutex_);
      if (ok && leaving_) return StartRead(&arriving_);
      has_message_ = ok;
    }
    if (!ok) RemoveHold();
  }
  void OnDone(const grpc::Status& status) override {
    absl::Status end = line_.Ended(context_, status);
    const absl::MutexLock lock(&mutex_);
    end_ = std::move(end);
    done_ = true;
  }

  Line& line_;
  const v1::StreamSessionRequest request_;
  grpc::ClientContext context_;
  absl::Mutex mutex_;
  v1::StreamSessionResponse arriving_;  // gRPC's until has_message_
  bool heard_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_message_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

class SessionStream::Reader {
 public:
  Reader(std::string session_id, SessionStreamOptions options)
      : session_id_(std::move(session_id)),
        options_(std::move(options)),
        line_(std::make_shared<Line>(options_.control, options_.credentials)),
        client_({.control = options_.control, .call_timeout = options_.retry.call_timeout}, line_),
        backoff_(options_.retry),
        position_(options_.after.value_or(v1::Position())) {}

  absl::StatusOr<std::optional<Item>> Next() {
    while (end_.ok() && !IsClosed() && !has_ended_) {
      if (std::optional<Item> item = NextOfMessage()) return item;
      if (call() == nullptr) {
        if (!AwaitTry()) break;
        Open();
        continue;
      }
      if (!heard_at_ && call()->AwaitHeard()) Heard();
      absl::StatusOr<std::optional<v1::StreamSessionResponse>> message = call()->Take();
      if (!message.ok()) {
        if (std::optional<Item> resync = CallFailed(message.status())) return resync;
      } else if (*message) {
        message_ = **std::move(message);
        taken_ = 0;
        Succeeded();
      } else {
        has_ended_ = true;
      }
    }
    SetCall(nullptr);
    if (!end_.ok() && !IsClosed()) return end_;
    return std::nullopt;
  }

  v1::Position position() const {
    const absl::MutexLock lock(&mutex_);
    return position_;
  }

  void Close() {
    const absl::MutexLock lock(&mutex_);
    closed_ = true;
    if (call_ != nullptr) call_->Cancel();
  }

 private:
  // Of Next's thread alone.
  StreamCall* call() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return call_.get(); }

  bool IsClosed() const {
    const absl::MutexLock lock(&mutex_);
    return closed_;
  }

  // The one before has ended when it returns.
  void SetCall(std::unique_ptr<StreamCall> call) {
    const absl::MutexLock lock(&mutex_);
    call_.swap(call);
    if (call_ != nullptr && closed_) call_->Cancel();
  }

  void Open() {
    message_.Clear();
    taken_ = 0;
    heard_at_.reset();
    v1::StreamSessionRequest request;
    request.set_session_id(session_id_);
    *request.mutable_after() = position();
    SetCall(std::make_unique<StreamCall>(*line_, request));
  }

  std::optional<Item> NextOfMessage() {
    while (taken_ < message_.events_size()) {
      v1::Event& event = *message_.mutable_events(taken_++);
      const v1::Position last = position();
      const v1::Position& place = event.position();
      const bool is_same_life = last.epoch().empty() || last.epoch() == place.epoch();
      if (is_same_life && place.sequence() <= last.sequence()) continue;
      if (!is_same_life || place.sequence() != last.sequence() + 1) {
        // Control says OUT_OF_RANGE instead. From the position again, which settles it.
        message_.Clear();
        Failed(absl::InternalError("a gap in the session's events"));
        return std::nullopt;
      }
      const absl::MutexLock lock(&mutex_);
      position_ = place;
      return Item(std::move(event));
    }
    return std::nullopt;
  }

  // A resync, if that is what it comes to.
  std::optional<Item> CallFailed(const absl::Status& status) {
    SetCall(nullptr);
    if (!absl::IsOutOfRange(status)) {
      Failed(status);
      return std::nullopt;
    }
    absl::StatusOr<v1::Snapshot> snapshot = client_.GetSession(session_id_);
    if (absl::IsNotFound(snapshot.status())) {
      snapshot = v1::Snapshot();
      snapshot->set_session_id(session_id_);
    }
    if (!snapshot.ok()) {
      Failed(snapshot.status());
      return std::nullopt;
    }
    Succeeded();
    const absl::MutexLock lock(&mutex_);
    position_ = snapshot->position();
    return Item(Resync{*std::move(snapshot)});
  }

  void Heard() {
    heard_at_ = Clock::now();
    SetConnection(absl::OkStatus());
  }

  void SetConnection(const absl::Status& connection) {
    if (connection_ && connection_->ok() == connection.ok()) return;
    connection_ = connection;
    if (options_.on_connection) options_.on_connection(connection);
  }

  void Succeeded() {
    backoff_.Reset();
    failing_since_.reset();
  }

  void Failed(const absl::Status& status) {
    SetCall(nullptr);
    const Clock::time_point now = Clock::now();
    // A call that stood for a while had a control, which had nothing to say.
    if (heard_at_ && now - *heard_at_ > options_.retry.backoff_max) Succeeded();
    if (!MayTryAgain(status)) {
      end_ = status;
      return;
    }
    if (absl::IsUnauthenticated(status)) failing_since_.reset();  // control is there
    if (!failing_since_) failing_since_ = now;
    if (options_.give_up_after && now - *failing_since_ >= *options_.give_up_after) {
      end_ = absl::Status(status.code(), absl::StrCat("given up after ",
                                                      options_.give_up_after->count(),
                                                      " ms: ", status.message()));
      return;
    }
    SetConnection(status);
    try_at_ = now + backoff_.Next(status);
  }

  // False: it was closed.
  bool AwaitTry() {
    const absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&closed_), absl::FromChrono(try_at_ - Clock::now()));
    return !closed_;
  }

  const std::string session_id_;
  const SessionStreamOptions options_;
  const std::shared_ptr<Line> line_;
  Client client_;
  // Of Next's thread.
  Backoff backoff_;
  v1::StreamSessionResponse message_;
  int taken_ = 0;  // events of message_
  std::optional<Clock::time_point> heard_at_;  // of this call
  std::optional<absl::Status> connection_;  // the last one told
  bool has_ended_ = false;
  absl::Status end_;
  std::optional<Clock::time_point> failing_since_;
  Clock::time_point try_at_;

  mutable absl::Mutex mutex_;
  v1::Position position_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<StreamCall> call_ ABSL_GUARDED_BY(mutex_);  // replaced by Next's thread alone
};

SessionStream::SessionStream(std::string session_id, SessionStreamOptions options)
    : reader_(std::make_unique<Reader>(std::move(session_id), std::move(options))) {}
SessionStream::~SessionStream() = default;

absl::StatusOr<std::optional<SessionStream::Item>> SessionStream::Next() { return reader_->Next(); }
v1::Position SessionStream::position() const { return reader_->position(); }
void SessionStream::Close() { reader_->Close(); }

}  // namespace sessioncast
