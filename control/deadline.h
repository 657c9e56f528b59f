// A moment at which control acts on a session by itself: a clarification's limit passes, or the
// session is to be looked at.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace sessioncast::control {

struct Deadline {
  absl::Time time;  // whole milliseconds
  std::string session_id;
  // The clarification whose time limit passes. Empty: the session's own, of which there is one, at
  // or before the moment at which it expires or, once it has ended, is deleted.
  std::string clarification_id;

  bool is_of_session() const { return clarification_id.empty(); }

  friend bool operator==(const Deadline&, const Deadline&) = default;
};

}  // namespace sessioncast::control
