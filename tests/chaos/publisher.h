// A publisher that retries under the same idempotency key until it knows the outcome, and writes
// down every call and outcome.
//
// Threads: Run and CloseSessions by one thread of the owner's; the rest by any.
// Invariant: an event whose outcome is unknown is settled before its session's next one is called.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sessioncast/v1/session_service.grpc.pb.h"
#include "tests/chaos/event_source.h"
#include "tests/support/history_recorder.h"

namespace sessioncast::chaos {

// A channel of its own: a new connection for each user, tried again soon, never a retry of gRPC's.
std::shared_ptr<grpc::Channel> ChannelTo(const std::string& control);
void SetTimeout(grpc::ClientContext& context, std::chrono::milliseconds timeout);
std::string CodeName(int code);

struct PublisherOptions {
  std::string directory;
  std::string who;
  std::string control;
  uint64_t seed = 0;
  std::vector<std::string> sessions;
  std::map<std::string, int> ends_after;  // session: this publisher completes it after so many
  enum class Way { kUnary, kStream };
  Way way = Way::kUnary;
  std::chrono::milliseconds pause_max{30};
  std::chrono::milliseconds call_timeout{3'000};
  std::chrono::milliseconds settle_max{90'000};  // after Stop, for what is outstanding
};

class Publisher {
 public:
  explicit Publisher(PublisherOptions options);

  void Run();
  void Stop();
  // A last event in each: completed, or a progress. Returns when all are settled.
  void CloseSessions(const std::vector<std::string>& complete,
                     const std::vector<std::string>& mark);
  void End() { history_.End(); }

  struct Counts {
    std::atomic<uint64_t> acked{0}, failed{0}, unknown{0};
    std::atomic<bool> running{false};
  };
  const Counts& counts() const { return counts_; }

 private:
  enum class Result { kAcked, kFailed, kUnknown };
  // An event on its way.
  struct Entry {
    v1::Event event;
    std::string key;
    bool is_answer = false;
    bool settled = false;
    uint64_t call = 0;
    Result result = Result::kUnknown;
  };

  std::vector<Entry> NextBatch(const std::string& session_id);
  void Settle(std::vector<Entry>& batch);
  void CallEach(std::vector<Entry>& batch);
  grpc::Status Call(const Entry& entry, v1::PublishEventResponse& response);
  void CallOnStream(std::vector<Entry>& batch);
  void OpenStream();
  void CloseStream();

  void RecordCall(Entry& entry);
  void RecordAcked(Entry& entry, const v1::PublishEventResponse& response);
  void RecordRefused(Entry& entry, int code);
  void AfterSettled(const Entry& entry);
  void Leave(const std::string& session_id);
  // False once there is no time left.
  bool Pause(std::chrono::milliseconds at_most);

  const PublisherOptions options_;
  test::HistoryRecorder history_;
  EventSource source_;
  const std::unique_ptr<v1::SessionService::Stub> stub_;
  std::vector<std::string> sessions_;
  std::map<std::string, int> acked_in_;
  std::deque<v1::Event> questions_;
  std::optional<Entry> last_acked_;
  uint64_t calls_ = 0;

  using Stream = grpc::ClientReaderWriter<v1::PublishEventsRequest, v1::PublishEventsResponse>;
  std::unique_ptr<grpc::ClientContext> stream_context_;
  std::unique_ptr<Stream> stream_;
  uint64_t stream_number_ = 0;
  std::chrono::steady_clock::time_point stream_until_;

  std::mutex mutex_;
  std::condition_variable stop_wanted_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point settle_until_;
  Counts counts_;
};

}  // namespace sessioncast::chaos
