// Readers over gRPC: one StreamSession that goes on after its position whenever it breaks, and the
// final reader, who writes down what there is in the end.
//
// Threads: Run by one thread of the owner's; the rest by any.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sessioncast/v1/session_service.grpc.pb.h"
#include "tests/support/history_recorder.h"

namespace sessioncast::chaos {

class Reader {
 public:
  Reader(const std::string& directory, const std::string& who, const std::string& control,
         std::string session_id);

  void Run();
  // Ends Run; the stream is cancelled.
  void Stop();
  void End() { history_.End(); }

  const std::string& session_id() const { return session_id_; }
  v1::Position position();
  uint64_t delivered() const { return delivered_; }
  uint64_t connects() const { return connects_; }

 private:
  // After how long to read again; none: stopped.
  std::optional<std::chrono::milliseconds> ReadOnce();
  void Take(const v1::Event& event);
  void Resync(const grpc::Status& status);

  const std::string session_id_;
  test::HistoryRecorder history_;
  const std::unique_ptr<v1::SessionService::Stub> stub_;
  std::mutex mutex_;
  std::condition_variable stop_wanted_;
  bool stopping_ = false;
  grpc::ClientContext* reading_ = nullptr;  // the call that is under way
  v1::Position position_;
  std::atomic<uint64_t> delivered_{0}, connects_{0};
};

// Writes each session's log and snapshot; false if control could not be asked.
bool WriteFinal(const std::string& directory, const std::string& control,
                const std::vector<std::string>& sessions);

}  // namespace sessioncast::chaos
