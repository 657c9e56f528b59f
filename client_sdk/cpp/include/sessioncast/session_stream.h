// For readers: the events of one session in order, then live, until it ends; through whatever
// happens to the connection or to control, with nothing missing and nothing twice.
//
// A position that cannot be resumed (it is not kept any more, or is of another life of the session)
// shows as a Resync: the state of the session, after which the events go on. A session that nobody
// has published to yet is waited for.
//
// Threads: Next from one at a time; Close and position from any.
// Bounds: what is not taken by Next stays at control, but for two messages (256 KiB, or one event,
// each).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sessioncast/credentials.h"
#include "sessioncast/retry.h"
#include "sessioncast/v1/event.pb.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast {

struct SessionStreamOptions {
  std::string control = "localhost:50051";  // HOST:PORT
  Credentials credentials = {};
  RetryOptions retry = {};
  // The last position that the reader has. Nothing: from sequence 1.
  std::optional<v1::Position> after = std::nullopt;
  // How long it tries without success before Next is an error. Nothing: for ever.
  std::optional<std::chrono::milliseconds> give_up_after = std::nullopt;
  // Called by Next, on its thread, when this changes: OK, control has this reader's call, and what
  // is published comes at once; else why it has not, and it is tried again. What is for good is not
  // told here. May be empty.
  std::function<void(const absl::Status&)> on_connection = {};
};

// What was kept of the position is gone: forget what there is of the session, this is its state. With
// an empty snapshot: it was deleted, and begins anew with the next event.
struct Resync {
  v1::Snapshot snapshot;
};

class SessionStream {
 public:
  using Item = std::variant<v1::Event, Resync>;

  explicit SessionStream(std::string session_id, SessionStreamOptions options = {});
  // Closes.
  ~SessionStream();
  SessionStream(const SessionStream&) = delete;
  SessionStream& operator=(const SessionStream&) = delete;

  // Waits for the next one. Nothing: the session has ended, or Close was called. An error is for
  // good (INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, DATA_LOSS, ...), and Next says it
  // again.
  absl::StatusOr<std::optional<Item>> Next();

  // Of the last item that Next gave.
  v1::Position position() const;

  // Next returns nothing from now on, also one that waits.
  void Close();

 private:
  class Reader;
  const std::unique_ptr<Reader> reader_;
};

}  // namespace sessioncast
