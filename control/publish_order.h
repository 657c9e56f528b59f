// What one publisher publishes into one session, one event behind the other, without waiting for
// outcomes. Once an event of it is to come again (its outcome is unknown, or it was refused for now
// and has a key), nothing behind it is accepted under this order: the log has no later event before
// an earlier one.
//
// Threads: any. It is broken under the mutex of the session's shard where an append is dropped, so
// that nothing passes before the publisher is told.
#pragma once

#include <atomic>

#include "absl/status/status.h"

namespace sessioncast::control {

// Whether the publisher is to publish it again. Refused for now, with a key, is as good as unknown:
// it comes later.
inline bool ComesAgain(const absl::Status& status, bool has_key) {
  return absl::IsUnavailable(status) || (absl::IsResourceExhausted(status) && has_key);
}

class PublishOrder {
 public:
  // `has_keys`: whether its events have idempotency keys.
  explicit PublishOrder(bool has_keys) : has_keys_(has_keys) {}

  // An event of it was not accepted.
  void Refused(const absl::Status& why) {
    if (ComesAgain(why, has_keys_)) is_broken_ = true;
  }
  bool is_broken() const { return is_broken_; }

  // What those behind are refused with.
  static absl::Status Behind() {
    return absl::UnavailableError(
        "an earlier event of the session was not accepted, or its outcome is unknown; publish that "
        "one again first, with its key");
  }

 private:
  const bool has_keys_;
  std::atomic<bool> is_broken_ = false;
};

}  // namespace sessioncast::control
