#include "tests/chaos/publisher.h"

#include <algorithm>
#include <utility>

namespace sessioncast::chaos {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStreamUse{2'000};  // then a new one: a stream's deadline cannot be moved
constexpr milliseconds kRetryPause{150};
constexpr size_t kBatchMax = 6;

// What surely was not stored; everything else may have been.
bool IsDefinite(int code) {
  switch (code) {
    case grpc::INVALID_ARGUMENT:
    case grpc::NOT_FOUND:
    case grpc::FAILED_PRECONDITION:
    case grpc::RESOURCE_EXHAUSTED:
    case grpc::UNAUTHENTICATED:
    case grpc::PERMISSION_DENIED:
    case grpc::ALREADY_EXISTS:
    case grpc::OUT_OF_RANGE:
    case grpc::UNIMPLEMENTED:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& control) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);  // what an attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  // As client_sdk has it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(16 * 1024 * 1024);
  return grpc::CreateCustomChannel(control, grpc::InsecureChannelCredentials(), arguments);
}

void SetTimeout(grpc::ClientContext& context, milliseconds timeout) {
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_millis(timeout.count(), GPR_TIMESPAN)));
}

std::string CodeName(int code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  return code >= 0 && code < 17 ? kNames[code] : std::to_string(code);
}

Publisher::Publisher(PublisherOptions options)
    : options_(std::move(options)),
      history_(options_.directory, options_.who, "publisher",
               options_.way == PublisherOptions::Way::kUnary ? "grpc unary" : "grpc stream"),
      source_(options_.who, options_.seed),
      stub_(v1::SessionService::NewStub(ChannelTo(options_.control))),
      sessions_(options_.sessions) {}

void Publisher::Stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  settle_until_ = steady_clock::now() + options_.settle_max;
  stop_wanted_.notify_all();
}

bool Publisher::Pause(milliseconds at_most) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!stopping_) {
    stop_wanted_.wait_for(lock, at_most, [this] { return stopping_; });
    return true;
  }
  // Waits although it is to stop: what is outstanding is tried again at the same pace.
  stop_wanted_.wait_for(lock, at_most, [] { return false; });
  return steady_clock::now() < settle_until_;
}

void Publisher::Run() {
  counts_.running = true;
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_ || sessions_.empty()) break;
    }
    std::vector<Entry> batch = NextBatch(sessions_[source_.Below(sessions_.size())]);
    Settle(batch);
    Pause(milliseconds(source_.Below(options_.pause_max.count()) + 1));
  }
  CloseStream();
  counts_.running = false;
}

std::vector<Publisher::Entry> Publisher::NextBatch(const std::string& session_id) {
  std::vector<Entry> batch;
  const uint64_t chance = source_.Below(100);
  if (const auto end = options_.ends_after.find(session_id);
      end != options_.ends_after.end() && acked_in_[session_id] >= end->second) {
    batch.push_back({source_.DrawCompleted(session_id), source_.NextKey()});
  } else if (!questions_.empty() && chance < 30) {
    batch.push_back({source_.DrawAnswer(questions_.front()), source_.NextKey(), true});
    questions_.pop_front();
  } else if (chance >= 30 && chance < 32) {
    batch.push_back({source_.DrawInvalid(session_id), source_.NextKey()});
  } else if (chance >= 32 && chance < 34 && last_acked_.has_value() && !last_acked_->is_answer) {
    // A key that is taken, with another payload.
    const std::string& taken_in = last_acked_->event.session_id();
    batch.push_back({source_.Draw(taken_in), last_acked_->key});
  } else {
    const bool streams = options_.way == PublisherOptions::Way::kStream;
    const uint64_t count = streams ? 1 + source_.Below(kBatchMax) : 1;
    for (uint64_t i = 0; i < count; ++i) {
      batch.push_back({source_.Draw(session_id), source_.NextKey()});
    }
  }
  return batch;
}

void Publisher::Settle(std::vector<Entry>& batch) {
  const auto open = [](const Entry& entry) { return !entry.settled; };
  const bool streams = options_.way == PublisherOptions::Way::kStream && !batch[0].is_answer;
  for (;;) {
    if (streams) {
      CallOnStream(batch);
    } else {
      CallEach(batch);
    }
    if (std::none_of(batch.begin(), batch.end(), open)) break;
    if (!Pause(milliseconds(1 + source_.Below(kRetryPause.count())))) return;
  }
  for (const Entry& entry : batch) AfterSettled(entry);
}

void Publisher::CallEach(std::vector<Entry>& batch) {
  for (Entry& entry : batch) {
    if (entry.settled) continue;
    RecordCall(entry);
    v1::PublishEventResponse response;
    const grpc::Status status = Call(entry, response);
    if (status.ok()) {
      RecordAcked(entry, response);
    } else {
      RecordRefused(entry, status.error_code());
    }
    if (!entry.settled) return;
  }
}

grpc::Status Publisher::Call(const Entry& entry, v1::PublishEventResponse& response) {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  if (!entry.is_answer) {
    v1::PublishEventRequest request;
    *request.mutable_event() = entry.event;
    request.set_idempotency_key(entry.key);
    return stub_->PublishEvent(&context, request, &response);
  }
  v1::AnswerClarificationRequest request;
  request.set_session_id(entry.event.session_id());
  request.set_clarification_id(entry.event.clarification().clarification_id());
  request.set_response(entry.event.clarification().response());
  v1::AnswerClarificationResponse answered;
  const grpc::Status status = stub_->AnswerClarification(&context, request, &answered);
  *response.mutable_position() = answered.position();
  return status;
}

void Publisher::OpenStream() {
  stream_context_ = std::make_unique<grpc::ClientContext>();
  SetTimeout(*stream_context_, kStreamUse + options_.call_timeout);
  stream_ = stub_->PublishEvents(stream_context_.get());
  stream_until_ = steady_clock::now() + kStreamUse;
  ++stream_number_;
}

void Publisher::CloseStream() {
  if (stream_ == nullptr) return;
  stream_context_->TryCancel();
  stream_->Finish();
  stream_.reset();
  stream_context_.reset();
}

void Publisher::CallOnStream(std::vector<Entry>& batch) {
  if (stream_ == nullptr || steady_clock::now() > stream_until_) {
    CloseStream();
    OpenStream();
  }
  v1::PublishEventsRequest message;
  std::deque<Entry*> waiting;
  for (Entry& entry : batch) {
    if (entry.settled) continue;
    RecordCall(entry);
    v1::PublishEventRequest& request = *message.add_events();
    *request.mutable_event() = entry.event;
    request.set_idempotency_key(entry.key);
    waiting.push_back(&entry);
  }
  v1::PublishEventsResponse response;
  if (stream_->Write(message)) {
    while (!waiting.empty() && stream_->Read(&response)) {
      for (const v1::PublishOutcome& outcome : response.outcomes()) {
        if (waiting.empty()) break;
        Entry& entry = *waiting.front();
        waiting.pop_front();
        if (outcome.has_accepted()) {
          RecordAcked(entry, outcome.accepted());
        } else {
          RecordRefused(entry, outcome.refused().code());
        }
      }
    }
  }
  if (!waiting.empty()) {
    for (Entry* entry : waiting) RecordRefused(*entry, grpc::UNAVAILABLE);
  }
  const auto open = [](const Entry& entry) { return !entry.settled; };
  if (std::any_of(batch.begin(), batch.end(), open)) CloseStream();
}

void Publisher::RecordCall(Entry& entry) {
  entry.call = ++calls_;
  json fields = test::Identity(entry.event);
  fields["call"] = entry.call;
  fields["session"] = entry.event.session_id();
  fields["key"] = entry.key;
  if (options_.way == PublisherOptions::Way::kStream && !entry.is_answer) {
    fields["stream"] = stream_number_;
  }
  history_.Write("call", std::move(fields));
}

void Publisher::RecordAcked(Entry& entry, const v1::PublishEventResponse& response) {
  history_.Write("outcome", {{"call", entry.call},
                             {"result", "acked"},
                             {"epoch", response.position().epoch()},
                             {"sequence", response.position().sequence()},
                             {"duplicate", response.duplicate()}});
  entry.settled = true;
  entry.result = Result::kAcked;
  ++counts_.acked;
}

void Publisher::RecordRefused(Entry& entry, int code) {
  // Who answers again after an unknown outcome meets the first answer: which it was is not said.
  const bool may_be_own = entry.is_answer && code == grpc::ALREADY_EXISTS;
  const bool definite = IsDefinite(code) && !may_be_own;
  history_.Write("outcome", {{"call", entry.call},
                             {"result", definite ? "failed" : "unknown"},
                             {"code", CodeName(code)}});
  entry.settled = may_be_own || (definite && code != grpc::RESOURCE_EXHAUSTED);
  entry.result = Result::kFailed;
  ++(definite ? counts_.failed : counts_.unknown);
  if (code == grpc::FAILED_PRECONDITION) Leave(entry.event.session_id());
}

void Publisher::AfterSettled(const Entry& entry) {
  if (entry.result != Result::kAcked) return;
  const std::string& session_id = entry.event.session_id();
  ++acked_in_[session_id];
  last_acked_ = entry;
  const v1::Event& event = entry.event;
  if (event.has_completed()) Leave(session_id);
  if (event.has_clarification() && !entry.is_answer) questions_.push_back(event);
}

void Publisher::Leave(const std::string& session_id) {
  std::erase(sessions_, session_id);
  std::erase_if(questions_,
                [&](const v1::Event& question) { return question.session_id() == session_id; });
}

void Publisher::CloseSessions(const std::vector<std::string>& complete,
                              const std::vector<std::string>& mark) {
  counts_.running = true;
  for (const std::string& session_id : complete) {
    std::vector<Entry> batch = {{source_.DrawCompleted(session_id), source_.NextKey()}};
    Settle(batch);
  }
  for (const std::string& session_id : mark) {
    std::vector<Entry> batch = {{source_.DrawProgress(session_id), source_.NextKey()}};
    Settle(batch);
  }
  counts_.running = false;
}

}  // namespace sessioncast::chaos
