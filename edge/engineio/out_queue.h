// The packets that wait to leave a connection, in order, with their bytes counted.
//
// Threads: belongs to its connection's I/O thread.
// Invariants: bytes() is what the packets in it count, zero when it is empty; the total that it was
// given counts them too, as long as the queue stands. A body is shared, never copied. Endings are
// computed in the order in which packets leave; one that was computed for a packet of which nothing
// left is taken back, so that what has been computed is what is leaving.
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "edge/engineio/packet.h"

namespace sessioncast::engineio {

// What whoever sent a packet wants to know it by; opaque here.
using PacketTag = std::shared_ptr<const void>;

// What a packet carries, without the type digit; one serves many connections.
struct PacketBody {
  std::string bytes;
  PacketTag tag;
};
using PacketBodyPtr = std::shared_ptr<const PacketBody>;

inline PacketBodyPtr MakeBody(std::string bytes, PacketTag tag = nullptr) {
  return std::make_shared<const PacketBody>(PacketBody{std::move(bytes), std::move(tag)});
}

// What packets end with in place of the last byte of their bodies, known only when they leave.
// Sends and closes nothing.
struct PacketEnding {
  // Of each packet, in the order in which they leave. Empty: the body is whole.
  std::function<std::string(const PacketTag&)> compute;
  // The last computed one does not leave now after all: it is computed again, or dropped. May be
  // null.
  std::function<void(const PacketTag&)> take_back;
};
using PacketEndingPtr = std::shared_ptr<const PacketEnding>;

// A packet that is not complete, or what completed it.
struct PacketCompletion {
  PacketEndingPtr ending;  // null: what was computed stays, whatever happens
  bool is_computed = false;
  std::string tail;
};

// Whether a packet belongs to the one before it: the attachments of an event.
enum class PacketPlace { kOwn, kContinues };

struct OutPacket {
  PacketType type = PacketType::kMessage;
  PacketFormat format = PacketFormat::kText;
  PacketPlace place = PacketPlace::kOwn;
  PacketBodyPtr body = nullptr;                            // null: empty
  std::unique_ptr<PacketCompletion> completion = nullptr;  // null: the packet is its body

  // What leaves is the head and the tail. Both, and size(), are of a complete packet.
  std::string_view head() const {
    std::string_view text = body ? std::string_view(body->bytes) : std::string_view();
    if (!tail().empty()) text.remove_suffix(1);
    return text;
  }
  std::string_view tail() const {
    return completion ? std::string_view(completion->tail) : std::string_view();
  }
  size_t size() const { return head().size() + tail().size(); }
};

class OutQueue {
 public:
  // What a packet costs beside its body, so that a flood of small ones is bounded too.
  static constexpr size_t kPacketOverheadBytes = 64;
  using Iterator = std::list<OutPacket>::iterator;

  // `total`: of all queues together, outlives them; null: nobody asks.
  explicit OutQueue(size_t* total = nullptr) : total_(total) {}
  ~OutQueue() { Discount(bytes_); }
  OutQueue(OutQueue&& other) noexcept
      : packets_(std::move(other.packets_)),
        bytes_(std::exchange(other.bytes_, 0)),
        total_(other.total_) {
    other.packets_.clear();
  }
  OutQueue& operator=(OutQueue&&) = delete;

  void Push(OutPacket packet) {
    Count(Cost(packet));
    packets_.push_back(std::move(packet));
  }
  void PopFront() {
    Discount(Cost(packets_.front()));
    packets_.pop_front();
  }
  void DropBehindFront() {
    while (packets_.size() > 1) {
      Discount(Cost(packets_.back()));
      packets_.pop_back();
    }
  }
  // Drops the packets from `first` on that `is_dropped` says, and what belongs to them; but none
  // whose ending stays, since it has told where its reader is.
  template <typename Predicate>
  void DropIf(Iterator first, Predicate is_dropped) {
    bool drops = false;
    while (first != packets_.end()) {
      if (first->place == PacketPlace::kOwn) drops = !Stays(*first) && is_dropped(TagOf(*first));
      const Iterator packet = first++;
      if (!drops) continue;
      Discount(Cost(*packet));
      packets_.erase(packet);
    }
  }
  // Computes what a packet ends with, before it leaves.
  void Complete(OutPacket& packet) {
    if (!packet.completion || packet.completion->is_computed) return;
    Discount(Cost(packet));
    packet.completion->is_computed = true;
    packet.completion->tail = packet.completion->ending->compute(TagOf(packet));
    Count(Cost(packet));
  }
  // Of all, for good: whoever computes them goes.
  void CompleteAll() {
    for (OutPacket& packet : packets_) {
      Complete(packet);
      if (packet.completion) packet.completion->ending = nullptr;
    }
  }
  // Nothing of these packets has left after all: their endings are taken back.
  void TakeBack(Iterator first, size_t packets) {
    for (Iterator last = std::next(first, packets); last != first;) TakeBackOne(*--last);
  }
  void Clear() {
    packets_.clear();
    Discount(bytes_);
  }
  // Everything, in order; this queue is empty then.
  OutQueue TakeAll() { return std::move(*this); }

  bool empty() const { return packets_.empty(); }
  size_t packets() const { return packets_.size(); }
  size_t bytes() const { return bytes_; }
  OutPacket& front() { return packets_.front(); }
  Iterator begin() { return packets_.begin(); }
  Iterator end() { return packets_.end(); }

 private:
  static const PacketTag& TagOf(const OutPacket& packet) {
    static const PacketTag none;
    return packet.body ? packet.body->tag : none;
  }
  static bool Stays(const OutPacket& packet) {
    return packet.completion && packet.completion->ending == nullptr;
  }
  void TakeBackOne(OutPacket& packet) {
    if (!packet.completion || !packet.completion->is_computed || Stays(packet)) return;
    Discount(Cost(packet));
    packet.completion->is_computed = false;
    packet.completion->tail.clear();
    if (packet.completion->ending->take_back) packet.completion->ending->take_back(TagOf(packet));
    Count(Cost(packet));
  }
  void Count(size_t bytes) {
    bytes_ += bytes;
    if (total_ != nullptr) *total_ += bytes;
  }
  void Discount(size_t bytes) {
    bytes_ -= bytes;
    if (total_ != nullptr) *total_ -= bytes;
  }
  static size_t Cost(const OutPacket& packet) {
    return packet.size() + kPacketOverheadBytes +
           (packet.completion ? sizeof(PacketCompletion) : 0);
  }

  std::list<OutPacket> packets_;
  size_t bytes_ = 0;
  size_t* const total_;
};

}  // namespace sessioncast::engineio
