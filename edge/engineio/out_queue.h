// The packets that wait to leave a connection, in order, with their bytes counted.
//
// Threads: belongs to its connection's I/O thread.
// Invariants: bytes() is what the packets in it count, zero when it is empty. A body is shared,
// never copied.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "edge/engineio/packet.h"

namespace sessioncast::engineio {

struct OutPacket {
  PacketType type = PacketType::kMessage;
  PacketFormat format = PacketFormat::kText;
  std::shared_ptr<const std::string> body;  // without the type digit; null: empty

  std::string_view text() const { return body ? std::string_view(*body) : std::string_view(); }
};

class OutQueue {
 public:
  // What a packet costs beside its body, so that a flood of small ones is bounded too.
  static constexpr size_t kPacketOverheadBytes = 64;

  void Push(OutPacket packet) {
    bytes_ += Cost(packet);
    packets_.push_back(std::move(packet));
  }
  void PopFront() {
    bytes_ -= Cost(packets_.front());
    packets_.pop_front();
  }
  void DropBehindFront() {
    while (packets_.size() > 1) {
      bytes_ -= Cost(packets_.back());
      packets_.pop_back();
    }
  }
  void Clear() {
    packets_.clear();
    bytes_ = 0;
  }
  // Everything, in order; this queue is empty then.
  OutQueue TakeAll() { return std::exchange(*this, OutQueue()); }

  bool empty() const { return packets_.empty(); }
  size_t bytes() const { return bytes_; }
  const OutPacket& front() const { return packets_.front(); }
  auto begin() const { return packets_.begin(); }
  auto end() const { return packets_.end(); }

 private:
  static size_t Cost(const OutPacket& packet) {
    return packet.text().size() + kPacketOverheadBytes;
  }

  std::list<OutPacket> packets_;
  size_t bytes_ = 0;
};

}  // namespace sessioncast::engineio
