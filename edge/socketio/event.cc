#include "edge/socketio/json_text.h"
#include "edge/socketio/packet.h"
#include "edge/socketio/server.h"

namespace sessioncast::socketio {

EncodedEvent EncodedEvent::FromJson(std::string_view name, std::string_view arguments_json, Tag tag) {
  constexpr size_t kAroundBytes = 6;  // 2[ "" , ]
  std::string packet;
  packet.reserve(name.size() + arguments_json.size() + kAroundBytes);
  packet += "2[";
  AppendQuoted(name, packet);
  if (!arguments_json.empty()) packet.append(",").append(arguments_json);
  packet += ']';
  return EncodedEvent(engineio::MakeBody(std::move(packet), std::move(tag)));
}

}  // namespace sessioncast::socketio
