// A socket for tests of the hub: it records, and its queue leaves when the test says so.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/cursor.h"
#include "edge/socketio/server.h"

namespace sessioncast::edge {

// A socket that keeps what it is sent, one line each: "progress 3", "error 9 skipped 2",
// "subscribed 0". All of it leaves at once, unless `stopped`; then the first that is queued has begun
// to leave.
class RecordingSocket : public socketio::Socket {
 public:
  const std::string& id() const override { return id_; }
  const socketio::Handshake& handshake() const override { return handshake_; }
  socketio::IoThread& thread() const override { std::abort(); }
  bool connected() const override { return true; }
  bool recovered() const override { return false; }
  void EmitTagged(std::string_view, const socketio::Json&, socketio::Tag) override { std::abort(); }
  void Emit(const socketio::EncodedEvent& event) override;
  void EmitWithAck(std::string_view, const socketio::Json&, std::chrono::milliseconds,
                   std::function<void(absl::Status, const socketio::Json&)>) override {
    std::abort();
  }
  void EmitVolatile(std::string_view, const socketio::Json&) override { std::abort(); }
  void SetLastArgument(std::function<std::string(const socketio::Tag&)>,
                       std::function<void(const socketio::Tag&)>) override {
    std::abort();
  }
  size_t queued_bytes() const override { return (lines.size() - left_) * bytes_an_event; }
  void DropQueued(const std::function<bool(const socketio::Tag&)>& is_dropped) override;
  void AwaitDrain(size_t bytes) override { drain_mark = std::max(bytes, drain_mark.value_or(0)); }
  void Flush() override {
    if (on_flush) on_flush();
  }
  void SetUnsentMax(std::optional<int> bytes) override { unsent_max = bytes; }
  void Disconnect() override { std::abort(); }
  void CloseConnection(socketio::DisconnectReason) override { std::abort(); }

  // So many of those that are queued leave, and the cursor moves.
  void Leave(size_t count) {
    for (; count > 0; --count) {
      const socketio::Tag& tag = tags_[left_++];
      if (tag != nullptr) cursor_.Move(*static_cast<const CursorMove*>(tag.get()));
    }
  }
  void LeaveAll() { Leave(lines.size() - left_); }
  std::string cursor() const { return cursor_.Text(); }

  std::vector<std::string> lines;
  std::function<void()> on_emit;
  std::function<void()> on_flush;
  bool stopped = false;
  size_t bytes_an_event = 100;
  std::optional<size_t> drain_mark;
  std::optional<int> unsent_max;

 private:
  std::string id_ = "socket";
  socketio::Handshake handshake_;
  std::vector<socketio::Tag> tags_;
  size_t left_ = 0;
  Cursor cursor_;
};

inline void RecordingSocket::Emit(const socketio::EncodedEvent& event) {
  const socketio::Json packet = socketio::Json::parse(event.packet().substr(1));
  std::string line = packet[0].get<std::string>() + " " + packet[1]["sequence"].dump();
  if (packet[1].contains("skipped")) line += " skipped " + packet[1]["skipped"].dump();
  lines.push_back(line);
  tags_.push_back(event.tag());
  if (!stopped) Leave(lines.size() - left_);
  if (on_emit) on_emit();
}

inline void RecordingSocket::DropQueued(const std::function<bool(const socketio::Tag&)>& is_dropped) {
  for (size_t i = left_ + (stopped ? 1 : 0); i < lines.size();) {
    if (tags_[i] == nullptr || !is_dropped(tags_[i])) {
      ++i;
      continue;
    }
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i));
    tags_.erase(tags_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace sessioncast::edge
