// Who a recovering client is: the pid that it carries, and the socket id that follows from it, the
// same on every edge. Nothing is kept of either.
//
//   pid = base64url( 18 random bytes | first 6 bytes of SHA-256("sessioncast pid" | random | subject) )
//   sid = base64url( first 15 bytes of SHA-256("sessioncast sid" | pid | subject) )
//
// Any thread. `subject`: who the token says the client is; "" without authentication.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/cursor.h"
#include "edge/socketio/server.h"

namespace sessioncast::edge {

// 32 characters.
std::string FreshPid(std::string_view subject);
// Whether it is a pid that was made for this subject.
bool IsPidOf(std::string_view pid, std::string_view subject);
// 20 characters.
std::string SocketIdOf(std::string_view pid, std::string_view subject);

// Whether the client's events end in its cursor: a browser, or who asks for it (auth.recovery:
// true), or presents a pid; not who declines it (auth.recovery: false).
bool WantsRecovery(const socketio::Handshake& handshake);

// A client that comes back.
struct Returning {
  std::string pid;
  std::vector<CursorEntry> entries;  // at least one
};
// Nothing if what it presents is not whole: it is a new client then.
std::optional<Returning> ReadReturning(const socketio::Json& auth, std::string_view subject);

}  // namespace sessioncast::edge
