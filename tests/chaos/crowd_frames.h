// What a crowd's clients receive: frames of a server's websocket, and the events in them as the
// history checker wants them.
//
// Threads: one. Invariant: a text is parsed once, however many clients it comes to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "nlohmann/json.hpp"

namespace sessioncast::chaos {

struct ServerFrame {
  uint8_t opcode = 0;
  std::string_view payload;
};

// Takes the first frame off `bytes`; nothing while it is not whole.
std::optional<ServerFrame> TakeFrame(std::string_view& bytes);
// A text frame of a client, which is masked.
std::string TextFrame(std::string_view text);

struct CrowdEvent {
  std::string name;
  std::string session_id, epoch;
  uint64_t sequence = 0;
  // Fields of the history's line; without any for what is no event of a log.
  nlohmann::json line;
};

class CrowdEvents {
 public:
  // Of a packet "42[...]".
  const CrowdEvent& Parse(std::string_view packet);

 private:
  std::unordered_map<std::string, CrowdEvent> parsed_;
};

}  // namespace sessioncast::chaos
