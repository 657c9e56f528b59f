// Protobuf writes a line of its own for each string that is not UTF-8, as often as such a message
// comes. Whoever parses says what is to be said.
//
// Threads: main, before others parse.
#pragma once

#include "google/protobuf/stubs/logging.h"

namespace sessioncast::daemon {

inline void SilenceProtobuf() { google::protobuf::SetLogHandler(nullptr); }

}  // namespace sessioncast::daemon
