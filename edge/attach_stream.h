// The Attach stream of one I/O thread: gRPC's side of it.
//
// Threads: Begin, End, Next and Cancel are called on the I/O thread (Cancel by any); gRPC's
// reactions come on its own threads and only post to the I/O thread. What both touch is under the
// mutex.
// Invariants: one write and one read in flight; a message is read only when the one before was
// handled, so at most one waits here and the rest is held back by HTTP/2's flow control; what waits
// to be written is at most one begin and one end an interest.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "edge/engineio/io_thread.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "sessioncast/v1/edge_service.grpc.pb.h"

namespace sessioncast::edge {

class AttachStream : public grpc::ClientBidiReactor<v1::AttachRequest, v1::AttachResponse> {
 public:
  // All on the I/O thread; none after Forget.
  struct Events {
    std::function<void()> ready;
    std::function<void(const v1::AttachResponse&)> received;  // then Next() for the next one
    std::function<void(const std::string& why)> ended;        // last
  };

  // The stream keeps itself alive until gRPC is done with it, and then calls `released` on one of
  // gRPC's threads.
  static std::shared_ptr<AttachStream> Open(v1::EdgeService::Stub& stub, engineio::IoThread& thread,
                                            Events events, std::function<void()> released);

  void Begin(uint32_t interest_id, const std::string& session_id);
  void End(uint32_t interest_id);
  void Next();
  void Cancel();
  // No Events from now on.
  void Forget();

 private:
  AttachStream(engineio::IoThread& thread, Events events, std::function<void()> released);
  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void WriteIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  engineio::IoThread& thread_;
  std::shared_ptr<Events> events_;  // I/O thread; null once forgotten
  const std::function<void()> released_;
  std::shared_ptr<AttachStream> self_;  // until OnDone
  grpc::ClientContext context_;
  v1::AttachResponse incoming_;
  absl::Mutex mutex_;
  std::map<uint32_t, std::string> begins_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint32_t> ends_ ABSL_GUARDED_BY(mutex_);
  v1::AttachRequest outgoing_;  // owned by gRPC while writing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sessioncast::edge
