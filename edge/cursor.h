// The cursor of a recovering client: where it is in each of its sessions. The client carries it as
// its Socket.IO offset, and presents it to whichever edge it comes back to.
//
//   cursor  = "1" *( ";" entry )                        at most 8,192 characters and 100 entries
//   entry   = session-id "~" epoch "~" sequence [ "*" ] "*": the fold is being delivered, so far
//   epoch   = 8 base64url characters, or "-": nobody has published yet
//
// Pure, not thread-safe. Invariant: at any byte at which a connection dies, the cursor that the
// client holds is what its handlers have seen; so it moves when an event leaves, not when it is
// queued, and back when the event did not leave after all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/wire.h"

namespace sessioncast::edge {

inline constexpr size_t kCursorBytesMax = 8'192;
inline constexpr size_t kCursorEntriesMax = 100;

// Where reading a session goes on.
struct Place {
  enum class Kind {
    kAfter,  // behind the position
    kFold,   // what of the fold is above position.sequence
  };
  Kind kind = Kind::kAfter;
  Position position;  // of kFold with an empty epoch: the fold from its beginning, whatever the epoch
  friend bool operator==(const Place&, const Place&) = default;
};

struct CursorEntry {
  std::string session_id;
  Place place;
  friend bool operator==(const CursorEntry&, const CursorEntry&) = default;
};

// The entries of a cursor; nothing if it is malformed, too long, or of another version.
std::optional<std::vector<CursorEntry>> ReadCursor(std::string_view text);

// An entry as text.
std::string EntryText(std::string_view session_id, const Place& place);
// How long an entry of this session can become, with its separator.
size_t EntryBytesMax(std::string_view session_id);

// What an event does to the cursor when it leaves; the tag of the event.
struct CursorMove {
  enum class Of {
    kEvent,      // an event of the session
    kFoldEvent,  // an event of its fold
    kNotice,     // `subscribed`, `unsubscribed`, `resync`
  };
  Of of = Of::kNotice;
  std::string session_id;
  Position before;    // of events: the last one that the reader knew of
  std::string entry;  // from now on; empty: the session leaves the cursor
  std::string entry_before;
};

class Cursor {
 public:
  // An entry from outside.
  void Set(const std::string& session_id, std::string entry);
  void Move(const CursorMove& move) { Set(move.session_id, move.entry); }
  void TakeBack(const CursorMove& move) { Set(move.session_id, move.entry_before); }
  std::string Text() const;

 private:
  struct Slot {
    std::string session_id;
    std::string entry;
  };
  std::vector<Slot> slots_;
};

}  // namespace sessioncast::edge
