// Sends events to a SessionService and tells what became of them.
//
// Threads: Send and Finish from any thread, also from within OnOutcome. OnOutcome runs on gRPC's
// threads, and for calls of their own on several at once.
// Invariants: a message is answered once, whatever happens. Nothing here bounds what is in flight:
// the caller counts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "grpcpp/grpcpp.h"
#include "sessioncast/v1/session_service.grpc.pb.h"

namespace sessioncast::bench {

struct Outcome {
  size_t events = 0;
  size_t failed = 0;    // of them: refused, or the call failed
  size_t refused = 0;   // of the failed: RESOURCE_EXHAUSTED
  size_t hinted = 0;    // of the refused: told when to try again (an outcome of a stream cannot)
  int64_t sent_ns = 0;  // when Send was called
};

class Sender {
 public:
  using OnOutcome = std::function<void(const Outcome& outcome)>;

  virtual ~Sender() = default;
  virtual void Send(v1::PublishEventsRequest message) = 0;
  // Nothing is sent any more. False: not everything was answered in time; then it is cancelled, and
  // told as failed.
  virtual bool Finish(std::chrono::seconds patience) = 0;
};

// A unary call an event.
std::unique_ptr<Sender> MakeUnarySender(std::shared_ptr<grpc::Channel> channel,
                                        Sender::OnOutcome on_outcome);
// One stream.
std::unique_ptr<Sender> MakeStreamSender(std::shared_ptr<grpc::Channel> channel,
                                         Sender::OnOutcome on_outcome);

// A connection of its own, also where another one has the same target.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& target);

}  // namespace sessioncast::bench
