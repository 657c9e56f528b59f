// The C++ client: publish into sessions, read them, ask their human. Thin: one call here is one
// call of SessionService, and nothing is tried again. Job runners want a Publisher (publisher.h),
// readers a SessionStream (session_stream.h).
//
// Threads: any; a Client may be shared. Calls block the thread that makes them. A Client has one
// thread of its own, which sleeps while there is a connection.
// Connection: made by the first call. While control is away a call is UNAVAILABLE at once, whatever
// `call_timeout` is (the one that finds this out: when the attempt has failed, after 2 s at most).
// From a call that failed on, the Client tries by itself until it is connected, whether or not
// anybody calls, every 2 s or so: try again as often as suits you, and be back about 3 s after
// control is.
// Errors: absl::Status with gRPC's canonical codes. UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED and
// INTERNAL of a publish are an unknown outcome: publish again with the same idempotency key. Every
// other code means: surely not stored.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sessioncast/credentials.h"
#include "sessioncast/v1/event.pb.h"
#include "sessioncast/v1/server_service.pb.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast {

class Line;

struct ClientOptions {
  std::string control = "localhost:50051";  // HOST:PORT
  // Of a call that does not wait for a human or for events.
  std::chrono::milliseconds call_timeout{10'000};
  Credentials credentials = {};
};

// Whether a publish that failed with this may have been stored.
bool IsUnknownOutcome(const absl::Status& status);

// Whether the same call again may do better: the outcome is unknown, control has too much to do, or
// the call has outlasted its token, and the token's file may have another one by then. (A token that
// is refused has no RetryAfter.)
bool MayTryAgain(const absl::Status& status);

// How long control asks to wait before it is tried again, if it says so.
std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status);

// What an error has to say beyond its message: the winner of a clarification, the snapshot's
// position. Empty if nothing.
v1::ErrorDetail DetailOf(const absl::Status& status);

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Durable when it returns. `idempotency_key` may be empty.
  absl::StatusOr<v1::PublishEventResponse> Publish(const v1::Event& event,
                                                   const std::string& idempotency_key);

  // Many events over one stream, in order; one outcome for each, in their order. An error means
  // that the outcome of all that are missing in `outcomes` is unknown.
  absl::Status PublishMany(const std::vector<v1::PublishEventRequest>& events,
                           std::vector<v1::PublishOutcome>& outcomes);

  // Events after a position (nothing: from sequence 1), then live, until the session ends (OK) or
  // `on_event` returns false (OK). One call: a lost connection is UNAVAILABLE, and the caller goes
  // on after the last event it has.
  absl::Status Stream(const std::string& session_id, const std::optional<v1::Position>& after,
                      const std::function<bool(const v1::Event&)>& on_event);

  absl::StatusOr<v1::Snapshot> GetSession(const std::string& session_id);
  absl::StatusOr<v1::ListSessionsResponse> ListSessions(int page_size,
                                                        const std::string& page_token);

  // Returns when the question is answered, expires or is cancelled, however long that takes. A lost
  // connection is UNAVAILABLE: ask again with the same clarification_id, which re-attaches.
  absl::StatusOr<v1::AskClarificationResponse> Ask(const v1::AskClarificationRequest& request);

  absl::StatusOr<v1::Position> Answer(const std::string& session_id,
                                      const std::string& clarification_id,
                                      const std::string& response);
  absl::StatusOr<v1::Position> Cancel(const std::string& session_id,
                                      const std::string& clarification_id);

  // UNAVAILABLE if control says that it does not serve, by the standard health protocol of gRPC.
  absl::Status CheckHealth();
  // Its version, its clock, its limits. UNIMPLEMENTED by a control from before 0.1.0.
  absl::StatusOr<v1::Server> GetServer();

 private:
  friend class Publisher;
  friend class SessionStream;
  Client(ClientOptions options, std::shared_ptr<Line> line);

  const ClientOptions options_;
  const std::shared_ptr<Line> line_;
};

}  // namespace sessioncast
