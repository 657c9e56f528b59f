// How deep JSON nests and how much binary is in it, to hold a decoder to its limits. Pure.
#pragma once

#include <algorithm>
#include <cstddef>

#include "edge/socketio/packet.h"

namespace sessioncast::fuzz {

inline size_t DepthOf(const socketio::Json& value) {
  if (!value.is_structured()) return 0;
  size_t deepest = 0;
  for (const socketio::Json& element : value) deepest = std::max(deepest, DepthOf(element));
  return deepest + 1;
}

// The bytes of all binaries in it.
inline size_t BinaryBytesOf(const socketio::Json& value) {
  if (value.is_binary()) return value.get_binary().size();
  if (!value.is_structured()) return 0;
  size_t bytes = 0;
  for (const socketio::Json& element : value) bytes += BinaryBytesOf(element);
  return bytes;
}

}  // namespace sessioncast::fuzz
