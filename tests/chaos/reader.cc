#include "tests/chaos/reader.h"

#include <chrono>
#include <iostream>
#include <utility>

#include "tests/chaos/publisher.h"

namespace sessioncast::chaos {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kAgainAfter{100};
// A session that is over is asked for again: a damaged store may give it a new epoch.
constexpr milliseconds kAgainAfterEnd{1'000};
constexpr milliseconds kFinalCall{30'000};

json PlaceOf(const std::string& session_id, const v1::Position& position) {
  return {{"session", session_id}, {"epoch", position.epoch()}, {"sequence", position.sequence()}};
}

}  // namespace

Reader::Reader(const std::string& directory, const std::string& who, const std::string& control,
               std::string session_id)
    : session_id_(std::move(session_id)),
      history_(directory, who, "observer", "grpc StreamSession"),
      stub_(v1::SessionService::NewStub(ChannelTo(control))) {}

void Reader::Stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  if (reading_ != nullptr) reading_->TryCancel();
  stop_wanted_.notify_all();
}

v1::Position Reader::position() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return position_;
}

void Reader::Run() {
  while (const std::optional<milliseconds> pause = ReadOnce()) {
    std::unique_lock<std::mutex> lock(mutex_);
    stop_wanted_.wait_for(lock, *pause, [this] { return stopping_; });
  }
}

std::optional<milliseconds> Reader::ReadOnce() {
  grpc::ClientContext context;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return std::nullopt;
    reading_ = &context;
  }
  v1::StreamSessionRequest request;
  request.set_session_id(session_id_);
  *request.mutable_after() = position_;
  history_.Write("connected", {{"recovered", false}});
  ++connects_;
  history_.Write("subscribe",
                 {{"session", session_id_},
                  {"after", {{"epoch", position_.epoch()}, {"sequence", position_.sequence()}}}});
  history_.Write("subscribed", PlaceOf(session_id_, position_));
  const auto stream = stub_->StreamSession(&context, request);
  v1::StreamSessionResponse response;
  while (stream->Read(&response)) {
    for (const v1::Event& event : response.events()) Take(event);
  }
  const grpc::Status status = stream->Finish();
  const std::lock_guard<std::mutex> lock(mutex_);
  reading_ = nullptr;
  if (status.ok()) history_.Write("ended", {{"session", session_id_}});
  if (stopping_) return std::nullopt;
  if (status.ok()) return kAgainAfterEnd;
  if (status.error_code() == grpc::OUT_OF_RANGE) {
    Resync(status);
  }
  history_.Write("disconnected",
                 {{"reason", CodeName(status.error_code())}, {"message", status.error_message()}});
  return kAgainAfter;
}

void Reader::Take(const v1::Event& event) {
  history_.WriteEvent("event", event, {{"skipped", 0}});
  ++delivered_;
  const std::lock_guard<std::mutex> lock(mutex_);
  position_ = event.position();
}

// The mutex is held.
void Reader::Resync(const grpc::Status& status) {
  v1::StatusDetails details;
  v1::ErrorDetail detail;
  if (!details.ParseFromString(status.error_details()) || details.details_size() == 0 ||
      !details.details(0).UnpackTo(&detail)) {
    return;
  }
  position_ = detail.snapshot_position();
  history_.Write("resync", PlaceOf(session_id_, position_));
}

namespace {

// Events 1 .. top, or what is kept of them; false if the stream broke before.
bool WriteLog(v1::SessionService::Stub& stub, test::HistoryRecorder& history,
              const std::string& session_id, const v1::Position& top) {
  grpc::ClientContext context;
  SetTimeout(context, kFinalCall);
  v1::StreamSessionRequest request;
  request.set_session_id(session_id);
  const auto stream = stub.StreamSession(&context, request);
  v1::StreamSessionResponse response;
  uint64_t first = 0;
  uint64_t last = 0;
  while (last < top.sequence() && stream->Read(&response)) {
    for (const v1::Event& event : response.events()) {
      last = event.position().sequence();
      if (first == 0) first = last;
      history.WriteEvent("final", event, json::object());
    }
  }
  context.TryCancel();
  const grpc::Status status = stream->Finish();
  json place = PlaceOf(session_id, top);
  place["first"] = first;
  history.Write("final_top", place);
  if (last < top.sequence()) {
    std::cerr << session_id << ": " << last << " of " << top.sequence() << ": "
              << CodeName(status.error_code()) << " " << status.error_message() << "\n";
  }
  return true;
}

bool WriteSession(v1::SessionService::Stub& stub, test::HistoryRecorder& history,
                  const std::string& session_id) {
  grpc::ClientContext context;
  SetTimeout(context, kFinalCall);
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  v1::GetSessionResponse response;
  const grpc::Status status = stub.GetSession(&context, request, &response);
  if (status.error_code() == grpc::NOT_FOUND) {
    json place = PlaceOf(session_id, {});
    place["first"] = 1;
    history.Write("final_top", place);
    return true;
  }
  if (!status.ok()) {
    std::cerr << session_id << ": " << status.error_message() << "\n";
    return false;
  }
  const v1::Snapshot& snapshot = response.snapshot();
  json line = PlaceOf(session_id, snapshot.position());
  line["events"] = json::array();
  for (const v1::Event& event : snapshot.events()) {
    line["events"].push_back(event.position().sequence());
  }
  history.Write("snapshot", line);
  return WriteLog(stub, history, session_id, snapshot.position());
}

}  // namespace

bool WriteFinal(const std::string& directory, const std::string& control,
                const std::vector<std::string>& sessions) {
  test::HistoryRecorder history(directory, "final", "final", "grpc StreamSession");
  const auto stub = v1::SessionService::NewStub(ChannelTo(control));
  bool all = true;
  for (const std::string& session_id : sessions) {
    all = WriteSession(*stub, history, session_id) && all;
  }
  if (all) history.End();
  return all;
}

}  // namespace sessioncast::chaos
