// The packets that wait to leave a connection, in order, with their bytes counted.
//
// Threads: belongs to its connection's I/O thread.
// Invariants: bytes() is what the packets in it count, zero when it is empty. A body is shared,
// never copied. A packet's ending is computed once, when it is first looked at to be sent, and in
// the order in which packets leave.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "edge/engineio/packet.h"

namespace sessioncast::engineio {

// What whoever sent a packet wants to know it by; opaque here.
using PacketTag = std::shared_ptr<const void>;
// What a packet ends with in place of the last byte of its body, known only when it leaves; empty:
// the body is whole. Sends and closes nothing.
using PacketEnding = std::function<std::string(const PacketTag&)>;

// A packet that is not yet complete, and what completed it.
struct PacketCompletion {
  std::shared_ptr<const PacketEnding> ending;  // null: it is complete
  PacketTag tag;
  std::string tail;
};

struct OutPacket {
  PacketType type = PacketType::kMessage;
  PacketFormat format = PacketFormat::kText;
  std::shared_ptr<const std::string> body;       // without the type digit; null: empty
  std::unique_ptr<PacketCompletion> completion = nullptr;  // null: the packet is its body

  // What leaves is the head and the tail. Both, and size(), are of a complete packet.
  std::string_view head() const {
    std::string_view text = body ? std::string_view(*body) : std::string_view();
    if (!tail().empty()) text.remove_suffix(1);
    return text;
  }
  std::string_view tail() const {
    return completion ? std::string_view(completion->tail) : std::string_view();
  }
  size_t size() const { return head().size() + tail().size(); }

  void Complete() {
    if (!completion || !completion->ending) return;
    const std::shared_ptr<const PacketEnding> ending = std::move(completion->ending);
    completion->tail = (*ending)(completion->tag);
    completion->tag = nullptr;
  }
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
  // Computes what packets end with: of one that is about to leave, or of all.
  void Complete(OutPacket& packet) {
    bytes_ -= Cost(packet);
    packet.Complete();
    bytes_ += Cost(packet);
  }
  void CompleteAll() {
    for (OutPacket& packet : packets_) Complete(packet);
  }
  void Clear() {
    packets_.clear();
    bytes_ = 0;
  }
  // Everything, in order; this queue is empty then.
  OutQueue TakeAll() { return std::exchange(*this, OutQueue()); }

  bool empty() const { return packets_.empty(); }
  size_t packets() const { return packets_.size(); }
  size_t bytes() const { return bytes_; }
  OutPacket& front() { return packets_.front(); }
  auto begin() { return packets_.begin(); }
  auto end() { return packets_.end(); }

 private:
  static size_t Cost(const OutPacket& packet) {
    return packet.size() + kPacketOverheadBytes +
           (packet.completion ? sizeof(PacketCompletion) : 0);
  }

  std::list<OutPacket> packets_;
  size_t bytes_ = 0;
};

}  // namespace sessioncast::engineio
