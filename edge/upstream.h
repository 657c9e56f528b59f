// One I/O thread's line to control: its Attach stream, its ReadEvents, and the unary calls that its
// sockets and REST requests make.
//
// Threads: everything is called on, and calls back on, the I/O thread. gRPC's own threads only post
// to it: that is the one thread crossing of an event in the edge.
// Invariants: at most one Attach stream; at most Options::reads_in_flight_max reads with control,
// the rest wait in order (there is at most one a subscription); a lost stream is opened again with
// a jittered back-off, for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "edge/engineio/io_thread.h"
#include "edge/hub.h"
#include "grpcpp/channel.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::edge {

class AttachStream;

// What came of an answer to a clarification.
struct AnswerOutcome {
  enum class Kind { kAccepted, kNotFound, kEnded, kInvalid, kUnavailable };
  Kind kind = Kind::kUnavailable;
  std::string message;       // why not
  v1::Clarification winner;  // kEnded: what ended it
};

class Upstream {
 public:
  struct Options {
    Hub::Options hub;
    size_t reads_in_flight_max = 64;
    std::chrono::milliseconds call_timeout{10'000};
    std::chrono::milliseconds backoff_min{100};
    std::chrono::milliseconds backoff_max{2'000};
  };

  // Told on the I/O thread when the thread's attachment comes and goes.
  using AttachmentChanged = std::function<void(bool attached)>;

  Upstream(Options options, engineio::IoThread& thread, std::shared_ptr<grpc::Channel> channel,
           AttachmentChanged changed);
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // The thread's table; asks through this.
  Hub& hub() { return hub_; }
  const Hub& hub() const { return hub_; }
  bool attached() const { return attached_; }

  // Opens the stream, and keeps it open. Once, on the thread.
  void Start();
  // Cancels what is under way. Once, before the I/O thread stops, from another thread; returns when
  // gRPC has let go.
  void Stop();

  void Answer(const std::string& session_id, const std::string& clarification_id,
              const std::string& response, std::function<void(AnswerOutcome)> done);
  void GetSession(const std::string& session_id,
                  std::function<void(absl::StatusOr<v1::Snapshot>)> done);
  void ListSessions(v1::ListSessionsRequest request,
                    std::function<void(absl::StatusOr<v1::ListSessionsResponse>)> done);

 private:
  class Calls;

  Hub::Upward MakeUpward();
  void OpenStream();
  void StreamReady();
  void SendReads();
  void SendRead(ReadRequest request);
  void StreamEnded(const std::string& why);
  void RetryLater();
  // A unary call whose response, or why there is none, is all that its caller wants. `send` starts it.
  template <typename Response, typename Request, typename Send>
  void Ask(Request request, Send send, std::function<void(absl::StatusOr<Response>)> done);

  const Options options_;
  engineio::IoThread& thread_;
  const std::shared_ptr<Calls> calls_;  // outlives us while calls are under way
  const AttachmentChanged changed_;
  Hub hub_;
  std::shared_ptr<AttachStream> stream_;
  bool attached_ = false;
  bool stopping_ = false;
  std::string refusal_;  // the last that was logged
  size_t reads_in_flight_ = 0;
  std::deque<ReadRequest> reads_waiting_;
  std::chrono::milliseconds backoff_;
  std::minstd_rand jitter_;
  engineio::Timer reopen_;
  engineio::Timer retry_;
};

}  // namespace sessioncast::edge
