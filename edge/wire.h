// An event as browsers see it: the one place in code that knows the browser contract's field names.
//
// Pure; any thread. Strings in events are valid UTF-8 (protobuf enforces it), so everything made
// here is valid JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/socketio/server.h"
#include "sessioncast/v1/event.pb.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::edge {

// A place in a session's log: as sessioncast.v1.Position.
struct Position {
  std::string epoch;
  uint64_t sequence = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

// One event of a session, ready for sockets.
struct WireEvent {
  Position position;
  std::string name;     // "progress", ...; a Custom event's own name
  std::string payload;  // one JSON object, without `skipped`
};

// An event of 1 MiB, control's limit, can be 6 MiB as JSON; a larger one would end each connection
// that it is queued for.
inline constexpr size_t kPayloadBytesMax = 7 * 1024 * 1024;

// InvalidArgument if the event cannot be shown: it has no kind or no position, a name that is not
// its publisher's to give, or too many bytes.
absl::StatusOr<WireEvent> ToWire(const v1::Event& event);
// Of a serialized Event.
absl::StatusOr<WireEvent> ParseWire(const std::string& serialized);

// The event as a packet; `skipped`: how many events before it the reader does not get (0: not
// said).
socketio::EncodedEvent Encode(const WireEvent& event, uint64_t skipped,
                              socketio::Tag tag = nullptr);

// Payloads of the edge's own events. `now`: UTC.
using Time = std::chrono::system_clock::time_point;
std::string ConnectedPayload(std::string_view socket_id, Time now);
std::string SubscribedPayload(std::string_view session_id, const Position& from, Time now);
std::string UnsubscribedPayload(std::string_view session_id, Time now);
std::string ResyncPayload(std::string_view session_id, const Position& from, Time now);
// `session_id` empty: left out.
std::string ErrorPayload(std::string_view session_id, std::string_view error, Time now);
std::string TokenExpiringPayload(Time expiry, Time now);

// Body of GET /api/wizard/session/{id}.
std::string SnapshotJson(const v1::Snapshot& snapshot);
// Body of GET /api/wizard/sessions.
std::string SessionListJson(const std::vector<v1::SessionSummary>& sessions,
                            std::string_view next_page_token);

// ISO 8601, UTC, milliseconds: "2026-11-23T22:45:03.123Z". Of the years 0 to 9999.
std::string Timestamp(Time time);

// `text` as a JSON string, with quotes.
std::string JsonString(std::string_view text);

}  // namespace sessioncast::edge
