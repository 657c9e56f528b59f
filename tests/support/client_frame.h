// A WebSocket frame as a client writes it, for tests. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sessioncast::tests {

// `first`: FIN, reserved bits and opcode. The length in its shortest form.
inline std::string ClientFrame(uint8_t first, std::string_view payload,
                               std::string_view mask = "abcd") {
  std::string frame(1, static_cast<char>(first));
  const size_t size = payload.size();
  const size_t length_bytes = size <= 125 ? 0 : size <= 0xFFFF ? 2 : 8;
  const size_t short_length = length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127;
  frame.push_back(static_cast<char>(0x80 | short_length));
  for (size_t i = length_bytes; i > 0; --i) {
    frame.push_back(static_cast<char>(uint64_t{size} >> (8 * (i - 1))));
  }
  frame.append(mask);
  for (size_t i = 0; i < size; ++i) frame.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  return frame;
}

}  // namespace sessioncast::tests
