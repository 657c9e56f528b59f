// A moment at which control acts on a session by itself.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace sessioncast::control {

struct Deadline {
  absl::Time time;  // whole milliseconds
  std::string session_id;
  // The id of the clarification whose time limit passes.
  std::string clarification_id;
};

}  // namespace sessioncast::control
