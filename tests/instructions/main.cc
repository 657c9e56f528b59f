// instruction_workload NAME: a fixed amount of work, the same each time, whose instructions are
// counted by callgrind (measure.py). Sets up uncounted, then does the counted part in pieces;
// prints how many deliveries those made, and what compiled it.
//
//   wide      a session with 1,000 sockets, from publish to WebSocket frames
//   narrow    1,000 sessions with a socket each, the same way, ten sessions a message
//   control   narrow's part in control: from a publish's bytes to an Attach message's
//   edge      narrow's part in the edge: from an Attach message's bytes to WebSocket frames
#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sessioncast/v1/edge_service.pb.h"
#include "sessioncast/v1/session_service.pb.h"
#include "spdlog/spdlog.h"
#include "tests/instructions/control_side.h"
#include "tests/instructions/edge_side.h"
#include "tools/daemon/lock_checks.h"

namespace sessioncast::test {
namespace {

constexpr char kEventName[] = "model_result";
constexpr size_t kResultBytes = 250;
constexpr size_t kSessionsAMessage = 10;

// What happens while it stands is counted.
class Counted {
 public:
  Counted() { CALLGRIND_TOGGLE_COLLECT; }
  ~Counted() { CALLGRIND_TOGGLE_COLLECT; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

struct Shape {
  size_t sessions = 1;
  size_t sockets_a_session = 1;
  size_t events_a_session = 1;
};

constexpr Shape kWide = {.sessions = 1, .sockets_a_session = 1'000, .events_a_session = 40};
constexpr Shape kNarrow = {.sessions = 1'000, .sockets_a_session = 1, .events_a_session = 5};

std::string SessionId(size_t session) {
  return absl::StrFormat("3f2b8c1e-9d47-4a5b-8e6f-%012d", session);
}

v1::Event NewEvent(size_t session, size_t number) {
  v1::Event event;
  event.set_session_id(SessionId(session));
  v1::ModelResult& result = *event.mutable_model_result();
  result.set_model_name(absl::StrCat("llama3.", number % 4, ":8b"));
  result.set_duration_ms(1'000 + number);
  result.set_status(v1::MODEL_RESULT_STATUS_COMPLETED);
  std::string text = absl::StrCat("Result \"", number, "\":\n");
  while (text.size() < kResultBytes) text += "The quick brown fox jumps over the lazy dog. ";
  text.resize(kResultBytes);
  result.set_result(text);
  return event;
}

// Publishes an event number `number` in each of these sessions.
std::vector<std::string> Requests(size_t first_session, size_t sessions, size_t number) {
  std::vector<std::string> requests;
  for (size_t session = first_session; session < first_session + sessions; ++session) {
    v1::PublishEventRequest request;
    *request.mutable_event() = NewEvent(session, number);
    requests.push_back(request.SerializeAsString());
  }
  return requests;
}

// Calls `group` for the sessions that have news at the same time, and the number of their events.
// Number 0 is for warming up, and is not counted.
void ForEachGroup(
    const Shape& shape,
    const std::function<void(size_t first_session, size_t sessions, size_t number)>& group) {
  const size_t sessions = std::min(shape.sessions, kSessionsAMessage);
  for (size_t number = 0; number <= shape.events_a_session; ++number) {
    if (number == 1) CALLGRIND_START_INSTRUMENTATION;
    for (size_t first = 0; first < shape.sessions; first += sessions) {
      group(first, sessions, number);
    }
  }
  CALLGRIND_STOP_INSTRUMENTATION;
}

void Connect(const Shape& shape, EdgeSide& edge) {
  for (size_t session = 0; session < shape.sessions; ++session) {
    for (size_t i = 0; i < shape.sockets_a_session; ++i) edge.Connect(SessionId(session));
  }
}

// Returns how many deliveries were counted.
size_t RunWhole(const Shape& shape) {
  ControlSide control;
  EdgeSide edge([&control](uint32_t interest_id, const std::string& session_id) {
    control.Begin(interest_id, session_id);
  });
  Connect(shape, edge);
  edge.Receive(control.NextMessage());
  size_t deliveries = 0;
  ForEachGroup(shape, [&](size_t first_session, size_t sessions, size_t number) {
    const std::vector<std::string> requests = Requests(first_session, sessions, number);
    {
      const Counted counted;
      for (const std::string& request : requests) control.Publish(request);
      edge.Receive(control.NextMessage());
    }
    const size_t events = edge.TakeEvents(kEventName);
    if (number > 0) deliveries += events;
  });
  return deliveries;
}

size_t RunControl(const Shape& shape) {
  ControlSide control;
  for (size_t session = 0; session < shape.sessions; ++session) {
    control.Begin(static_cast<uint32_t>(session + 1), SessionId(session));
  }
  control.NextMessage();
  ForEachGroup(shape, [&](size_t first_session, size_t sessions, size_t number) {
    const std::vector<std::string> requests = Requests(first_session, sessions, number);
    const Counted counted;
    for (const std::string& request : requests) control.Publish(request);
    control.NextMessage();
  });
  return control.published() - shape.sessions;
}

// What control would send of these sessions, whose interests are numbered from 1.
std::string Message(size_t first_session, size_t sessions, size_t number) {
  v1::AttachResponse message;
  for (size_t session = first_session; session < first_session + sessions; ++session) {
    v1::LiveBatch& batch = *message.add_batches();
    batch.set_interest_id(static_cast<uint32_t>(session + 1));
    v1::Event event = NewEvent(session, number);
    event.mutable_position()->set_epoch("Ab3_x-9Z");
    event.mutable_position()->set_sequence(number + 1);
    event.mutable_time()->set_seconds(1'800'000'000);
    event.mutable_time()->set_nanos(123'456'000);
    batch.add_events(event.SerializeAsString());
  }
  return message.SerializeAsString();
}

size_t RunEdge(const Shape& shape) {
  v1::AttachResponse announcements;
  EdgeSide edge([&announcements](uint32_t interest_id, const std::string&) {
    v1::LiveBatch& batch = *announcements.add_batches();
    batch.set_interest_id(interest_id);
    batch.mutable_announced();
  });
  Connect(shape, edge);
  edge.Receive(announcements.SerializeAsString());
  size_t deliveries = 0;
  ForEachGroup(shape, [&](size_t first_session, size_t sessions, size_t number) {
    const std::string message = Message(first_session, sessions, number);
    {
      const Counted counted;
      edge.Receive(message);
    }
    const size_t events = edge.TakeEvents(kEventName);
    if (number > 0) deliveries += events;
  });
  return deliveries;
}

struct Workload {
  size_t deliveries_expected;
  std::function<size_t()> run;
};

size_t DeliveriesOf(const Shape& shape) {
  return shape.sessions * shape.sockets_a_session * shape.events_a_session;
}

const std::map<std::string, Workload>& Workloads() {
  static const std::map<std::string, Workload> workloads = {
      {"wide", {DeliveriesOf(kWide), [] { return RunWhole(kWide); }}},
      {"narrow", {DeliveriesOf(kNarrow), [] { return RunWhole(kNarrow); }}},
      {"control", {DeliveriesOf(kNarrow), [] { return RunControl(kNarrow); }}},
      {"edge", {DeliveriesOf(kNarrow), [] { return RunEdge(kNarrow); }}},
  };
  return workloads;
}

}  // namespace
}  // namespace sessioncast::test

int main(int argc, char** argv) {
  const auto& workloads = sessioncast::test::Workloads();
  const auto found = argc == 2 ? workloads.find(argv[1]) : workloads.end();
  if (found == workloads.end()) {
    std::fprintf(stderr, "usage: instruction_workload wide|narrow|control|edge\n");
    return 2;
  }
  sessioncast::daemon::LeaveOutLockChecks();
  spdlog::set_level(spdlog::level::off);
  const size_t deliveries = found->second.run();
  std::printf("{\"deliveries\":%zu,\"compiler\":\"%s\"}\n", deliveries, INSTRUCTIONS_COMPILER);
  if (deliveries == found->second.deliveries_expected) return 0;
  std::fprintf(stderr, "%zu deliveries were expected\n", found->second.deliveries_expected);
  return 1;
}
