#include "bench/load/sender.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

class UnarySender : public Sender {
 public:
  UnarySender(std::shared_ptr<grpc::Channel> channel, OnOutcome on_outcome)
      : stub_(v1::SessionService::NewStub(std::move(channel))),
        on_outcome_(std::move(on_outcome)) {}

  void Send(v1::PublishEventsRequest message) override {
    for (v1::PublishEventRequest& request : *message.mutable_events()) {
      auto* call = new Call;
      call->request.Swap(&request);
      call->sent_ns = NowNs();
      {
        const std::lock_guard lock(mutex_);
        calls_.insert(call);
      }
      stub_->async()->PublishEvent(&call->context, &call->request, &call->response,
                                   [this, call](const grpc::Status& status) { End(call, status); });
    }
  }

  bool Finish(std::chrono::seconds patience) override {
    std::unique_lock lock(mutex_);
    const auto all_ended = [this] { return calls_.empty(); };
    if (ended_.wait_for(lock, patience, all_ended)) return true;
    for (Call* call : calls_) call->context.TryCancel();
    ended_.wait(lock, all_ended);
    return false;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::PublishEventRequest request;
    v1::PublishEventResponse response;
    int64_t sent_ns = 0;
  };

  void End(Call* call, const grpc::Status& status) {
    const bool refused = status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
    const bool hinted =
        refused && call->context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms") > 0;
    on_outcome_({.events = 1,
                 .failed = status.ok() ? 0U : 1U,
                 .refused = refused ? 1U : 0U,
                 .hinted = hinted ? 1U : 0U,
                 .sent_ns = call->sent_ns});
    const std::lock_guard lock(mutex_);
    calls_.erase(call);
    delete call;
    if (calls_.empty()) ended_.notify_all();
  }

  const std::unique_ptr<v1::SessionService::Stub> stub_;
  const OnOutcome on_outcome_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<Call*> calls_;  // in flight
};

class StreamSender
    : public Sender,
      public grpc::ClientBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse> {
 public:
  StreamSender(std::shared_ptr<grpc::Channel> channel, OnOutcome on_outcome)
      : stub_(v1::SessionService::NewStub(std::move(channel))), on_outcome_(std::move(on_outcome)) {
    stub_->async()->PublishEvents(&context_, this);
    AddHold();  // for writes that begin outside of its callbacks
    StartRead(&response_);
    StartCall();
  }
  ~StreamSender() override { Finish(std::chrono::seconds(0)); }

  void Send(v1::PublishEventsRequest message) override {
    Outcome sent{.events = static_cast<size_t>(message.events_size()), .sent_ns = NowNs()};
    {
      const std::lock_guard lock(mutex_);
      if (!has_failed_) {
        unanswered_.push_back({sent, sent.events});
        waiting_.push_back(std::move(message));
        if (waiting_.size() == 1) StartWrite(&waiting_.front());
        return;
      }
    }
    sent.failed = sent.events;
    on_outcome_(sent);
  }

  bool Finish(std::chrono::seconds patience) override {
    std::unique_lock lock(mutex_);
    const bool all_answered =
        changed_.wait_for(lock, patience, [this] { return unanswered_.empty() || has_failed_; });
    if (!std::exchange(is_finishing_, true)) {
      if (!all_answered) context_.TryCancel();
      lock.unlock();
      if (all_answered) StartWritesDone();
      RemoveHold();
      lock.lock();
    }
    changed_.wait(lock, [this] { return is_done_; });
    return all_answered && !has_failed_;
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    if (!ok) return Fail();
    waiting_.pop_front();
    if (!waiting_.empty()) StartWrite(&waiting_.front());
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      const std::lock_guard lock(mutex_);
      return Fail();
    }
    std::vector<Outcome> answered;
    {
      const std::lock_guard lock(mutex_);
      for (const v1::PublishOutcome& outcome : response_.outcomes()) {
        Unanswered& first = unanswered_.front();
        if (outcome.has_refused()) ++first.outcome.failed;
        if (outcome.refused().code() == grpc::StatusCode::RESOURCE_EXHAUSTED)
          ++first.outcome.refused;
        if (--first.left > 0) continue;
        answered.push_back(first.outcome);
        unanswered_.pop_front();
      }
      if (unanswered_.empty()) changed_.notify_all();
    }
    for (const Outcome& outcome : answered) on_outcome_(outcome);
    StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    std::deque<Unanswered> failed;
    {
      const std::lock_guard lock(mutex_);
      has_failed_ = has_failed_ || !status.ok();
      failed.swap(unanswered_);
    }
    for (Unanswered& each : failed) {
      each.outcome.failed += each.left;
      on_outcome_(each.outcome);
    }
    const std::lock_guard lock(mutex_);
    is_done_ = true;
    changed_.notify_all();
  }

 private:
  struct Unanswered {
    Outcome outcome;
    size_t left = 0;
  };

  // The stream has ended, which nobody wanted. Holds the mutex.
  void Fail() {
    if (is_finishing_) return;
    has_failed_ = true;
    changed_.notify_all();
  }

  const std::unique_ptr<v1::SessionService::Stub> stub_;
  const OnOutcome on_outcome_;
  grpc::ClientContext context_;
  v1::PublishEventsResponse response_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<v1::PublishEventsRequest> waiting_;  // the first is being written
  std::deque<Unanswered> unanswered_;
  bool has_failed_ = false;
  bool is_finishing_ = false;
  bool is_done_ = false;
};

}  // namespace

std::unique_ptr<Sender> MakeUnarySender(std::shared_ptr<grpc::Channel> channel,
                                        Sender::OnOutcome on_outcome) {
  return std::make_unique<UnarySender>(std::move(channel), std::move(on_outcome));
}

std::unique_ptr<Sender> MakeStreamSender(std::shared_ptr<grpc::Channel> channel,
                                         Sender::OnOutcome on_outcome) {
  return std::make_unique<StreamSender>(std::move(channel), std::move(on_outcome));
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace sessioncast::bench
