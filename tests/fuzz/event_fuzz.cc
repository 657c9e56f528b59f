// What publishers send, from the first byte to browsers: what is valid becomes JSON that every
// reader of JSON reads, with the names and places that it has; histories, pages and folds of it are
// what their rules say.
//
// An input is a serialized PublishEventsRequest.
#include "control/event.h"

#include <map>
#include <set>

#include "control/history.h"
#include "edge/socketio/packet.h"
#include "edge/wire.h"
#include "proto/rules.h"
#include "sessioncast/v1/session_service.pb.h"
#include "tests/control/events.h"
#include "tests/fuzz/target.h"
#include "tools/daemon/protobuf_log.h"

namespace sessioncast::fuzz {
namespace {

using control::History;
using control::StoredEventPtr;
using Json = nlohmann::json;

constexpr char kEpoch[] = "k3JxQ0aB";
const absl::Time kNow = absl::FromUnixSeconds(1'795'473'903);
// Beyond it a payload is as deep as its JSON: `{payload: {result: {...}}}` and the packet's array.
constexpr size_t kWireDepthMax = kStructDepthMax + 3;

control::HistoryOptions Options() {
  control::HistoryOptions options;
  options.kept.events_max = 8;
  options.fold.entries_max = 6;
  options.open_clarifications_max = 3;
  return options;
}

void CheckWire(const StoredEventPtr& event) {
  const absl::StatusOr<edge::WireEvent> wire = edge::ParseWire(event->bytes);
  Require(wire.ok(), "the edge reads what control accepted");
  Require(wire->position == edge::Position{event->epoch, event->sequence}, "its position");
  const absl::StatusOr<socketio::Packet> packet = socketio::ReadPacket(
      edge::Encode(*wire, 3).packet(), {.json_depth_max = kWireDepthMax});
  Require(packet.ok(), "it is a packet that clients read");
  Require(packet->type == socketio::PacketType::kEvent && packet->payload->size() == 2, "an event");
  Require((*packet->payload)[0] == wire->name, "of its name");
  const Json& payload = (*packet->payload)[1];
  const v1::Event decoded = control::EventOf(*event);
  Require(payload.at("sessionId") == decoded.session_id(), "of its session");
  Require(payload.at("sequence") == event->sequence && payload.at("epoch") == event->epoch &&
              payload.at("skipped") == 3,
          "at its place");
  if (decoded.has_custom()) Require(wire->name == decoded.custom().name(), "named as published");
}

void CheckStored(const StoredEventPtr& event) {
  const auto again = control::ParseStoredEvent(event->bytes, event->idempotency_key,
                                               event->payload_hash);
  Require(again.ok() && (*again)->bytes == event->bytes && (*again)->summary.key == event->summary.key,
          "it is stored as it is");
}

// All pages from `after` on.
std::vector<StoredEventPtr> ReadAll(const History& history, uint64_t after, size_t bytes_max,
                                    control::Reading reading) {
  std::vector<StoredEventPtr> events;
  while (after < history.durable()) {
    const control::Page page = history.Read(after, {.bytes_max = bytes_max, .reading = reading});
    Require(page.through > after, "a page goes on");
    for (const StoredEventPtr& event : page.events) {
      Require(event->sequence > after && event->sequence <= page.through, "in the page's range");
      after = event->sequence;
      events.push_back(event);
    }
    after = page.through;
  }
  return events;
}

void CheckReading(const History& history) {
  const uint64_t first = history.AssignedSession().first_sequence;
  const std::vector<StoredEventPtr> whole =
      ReadAll(history, first - 1, 1, control::Reading::kWhole);
  Require(whole.size() == history.durable() - (first - 1), "nothing that is kept is missing");
  const std::vector<StoredEventPtr> conflated =
      ReadAll(history, first - 1, size_t{1} << 20, control::Reading::kConflated);
  std::set<uint64_t> read;
  for (const StoredEventPtr& event : conflated) read.insert(event->sequence);
  std::set<std::string> later;  // keys
  for (auto event = whole.rbegin(); event != whole.rend(); ++event) {
    const control::EventSummary& summary = (*event)->summary;
    const bool is_kept = read.contains((*event)->sequence);
    const bool may_go = summary.handling.delivery == v1::DELIVERY_LATEST ||
                        summary.handling.delivery == v1::DELIVERY_LATEST_BY_KEY;
    Require(is_kept || (may_go && later.contains(summary.key)), "only what is superseded is left out");
    later.insert(summary.key);
  }
}

void CheckFold(const History& history) {
  const std::vector<StoredEventPtr> entries = history.fold().Events(0);
  Require(entries.size() <= Options().fold.entries_max + Options().open_clarifications_max,
          "a fold has a limit");
  for (size_t i = 1; i < entries.size(); ++i) {
    Require(entries[i - 1]->sequence < entries[i]->sequence, "a fold is in order");
  }
  control::Fold restored(Options().fold);
  restored.Restore(history.fold().State());
  const std::vector<StoredEventPtr> again = restored.Events(0);
  Require(again.size() == entries.size() && restored.bytes() == history.fold().bytes(),
          "a fold goes on from what is stored");
  const control::SnapshotView view = history.Snapshot();
  v1::Snapshot snapshot;
  snapshot.set_session_id(view.summary.session_id());
  *snapshot.mutable_position() = view.summary.position();
  snapshot.set_status(view.summary.status());
  for (const StoredEventPtr& event : view.events) {
    *snapshot.add_events() = control::EventOf(*event);
  }
  Require(Json::accept(edge::SnapshotJson(snapshot)), "a snapshot is JSON");
}

class Sessions {
 public:
  void Publish(const v1::PublishEventRequest& request) {
    const v1::Event& event = request.event();
    const absl::Status valid = control::Validate(event);
    const absl::Status key = control::ValidateIdempotencyKey(request.idempotency_key());
    if (!valid.ok() || !key.ok()) {
      const absl::Status& refused = valid.ok() ? key : valid;
      Require(absl::IsInvalidArgument(refused), "a refusal is INVALID_ARGUMENT");
      Require(refused.message().find(':') != absl::string_view::npos, "it names the field");
      return;
    }
    History& history =
        histories_.try_emplace(event.session_id(), event.session_id(), Options()).first->second;
    const uint64_t before = history.assigned();
    const control::Answer answer =
        history.Append(event, request.idempotency_key(), {.now = kNow, .fresh_epoch = kEpoch});
    Require(history.assigned() == before + answer.appended.size(), "sequences are dense");
    Require((answer.outcome == control::Answer::Outcome::kAppended) == !answer.appended.empty(),
            "what is appended is told");
    history.Durable(history.assigned());
    for (const StoredEventPtr& stored : answer.appended) {
      CheckWire(stored);
      CheckStored(stored);
    }
  }

  void Check() const {
    for (const auto& [id, history] : histories_) {
      if (history.durable() == 0) continue;
      CheckReading(history);
      CheckFold(history);
    }
  }

 private:
  std::map<std::string, History> histories_;
};

// ---- seeds

v1::Event Nested(int depth) {
  v1::Event event = test::CompletedEvent("s");
  google::protobuf::Struct* object = event.mutable_completed()->mutable_result();
  for (int i = 1; i < depth; ++i) {
    object = (*object->mutable_fields())["a"].mutable_struct_value();
  }
  auto& fields = *object->mutable_fields();
  fields["n"].set_number_value(-0.5e-7);
  fields["t"].set_string_value("\"\\\n\x01\xF0\x9F\x98\x80");
  fields["l"].mutable_list_value()->add_values()->set_bool_value(true);
  fields["z"].set_null_value(google::protobuf::NULL_VALUE);
  return event;
}

v1::Event Bad(double percent) {
  v1::Event event = test::ProgressEvent("s", percent);
  (*event.mutable_progress()->mutable_result()->mutable_fields())["__proto__"].set_number_value(1);
  return event;
}

}  // namespace

std::vector<std::string> Seeds() {
  v1::Event limited = test::QuestionEvent("s", "q2");
  limited.mutable_clarification()->mutable_time_limit()->set_seconds(60);
  limited.mutable_clarification()->set_default_response("yes");
  const std::vector<v1::Event> all = {
      test::ProgressEvent("s", 10),
      test::ProgressEvent("s", 99.5),
      test::ResultEvent("s", "gpt", v1::MODEL_RESULT_STATUS_PROCESSING, "a"),
      test::ResultEvent("s", "gpt", v1::MODEL_RESULT_STATUS_PROCESSING, "ab"),
      test::ResultEvent("s", "gpt", v1::MODEL_RESULT_STATUS_COMPLETED, "abc"),
      test::ResultEvent("s", "claude", v1::MODEL_RESULT_STATUS_FAILED, ""),
      test::QuestionEvent("s", "q1"),
      limited,
      test::CustomEvent("s", "t"),
      test::CustomEvent("s.2:x_-", "t"),
      test::FinalErrorEvent("s.2:x_-"),
      Nested(2),
      Nested(kStructDepthMax),
      Nested(kStructDepthMax + 1),
      Bad(-1),
      Bad(50),
      test::CompletedEvent("../s")};
  std::vector<std::string> seeds;
  v1::PublishEventsRequest together;
  for (const v1::Event& event : all) {
    v1::PublishEventsRequest alone;
    *alone.add_events() = test::PublishRequest(event);
    seeds.push_back(alone.SerializeAsString());
    *together.add_events() = test::PublishRequest(event, "key");
  }
  seeds.push_back(together.SerializeAsString());
  for (v1::PublishEventRequest& request : *together.mutable_events()) {
    request.clear_idempotency_key();
  }
  seeds.push_back(together.SerializeAsString());
  return seeds;
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  daemon::SilenceProtobuf();
  v1::PublishEventsRequest request;
  if (!request.ParseFromArray(bytes, static_cast<int>(size))) return 0;
  fuzz::Sessions sessions;
  for (const v1::PublishEventRequest& publish : request.events()) sessions.Publish(publish);
  sessions.Check();
  return 0;
}
