// For tests of the hub alone: sockets that record, and a control that the test plays.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edge/hub.h"
#include "gtest/gtest.h"
#include "tests/edge/recording_socket.h"

namespace sessioncast::edge {
inline constexpr char kEpoch[] = "epoch--1";
inline const Place kWholeFold = {Place::Kind::kFold, {}};

inline Place After(uint64_t sequence) { return {Place::Kind::kAfter, {kEpoch, sequence}}; }

inline std::string ErrorEvent(uint64_t sequence, const std::string& epoch = kEpoch) {
  v1::Event event;
  event.set_session_id("s");
  event.mutable_position()->set_epoch(epoch);
  event.mutable_position()->set_sequence(sequence);
  event.mutable_error()->set_message("e");
  return event.SerializeAsString();
}

inline Page MakePage(uint64_t first, uint64_t last, uint64_t top) {
  Page page{.outcome = Page::Outcome::kPage, .top = {kEpoch, top}, .through = last, .events = {}};
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    page.events.push_back(ErrorEvent(sequence));
  }
  return page;
}

class HubTest : public testing::Test {
 protected:
  HubTest()
      : hub_(
            OptionsAt([this] { return now_; }),
            {.begin = [this](uint32_t id, const std::string& session) { interests_[session] = id; },
             .end = [this](uint32_t id) { ended_.push_back(id); },
             .read = [this](ReadRequest request) { reads_.push_back(request); }}) {
    hub_.Attached();
  }

  static Hub::Options OptionsAt(std::function<Pace::Time()> now) {
    Hub::Options options;
    options.now = std::move(now);
    return options;
  }

  Hub::SubscriptionPtr Subscribe(RecordingSocket& socket, std::optional<Position> after,
                                 const std::string& session = "s") {
    return hub_.Subscribe(ReaderOf(socket), session,
                          after ? Place{Place::Kind::kAfter, *after} : kWholeFold,
                          [this](const Position& position) { opened_.push_back(position); });
  }
  const Hub::ReaderPtr& ReaderOf(RecordingSocket& socket) {
    Hub::ReaderPtr& reader = readers_[&socket];
    if (reader == nullptr) reader = hub_.AddReader(socket);
    return reader;
  }
  // The socket's queue is empty, after so long.
  void Drain(RecordingSocket& socket, std::chrono::milliseconds after) {
    now_ += after;
    socket.LeaveAll();
    ASSERT_TRUE(std::exchange(socket.drain_mark, std::nullopt).has_value());
    hub_.Drained(*ReaderOf(socket));
  }
  // The read that waits longest.
  ReadRequest NextRead() {
    if (reads_.empty()) {
      ADD_FAILURE() << "the hub asked for no page";
      return {};
    }
    ReadRequest request = reads_.front();
    reads_.erase(reads_.begin());
    return request;
  }
  void Arrive(uint64_t sequence) { hub_.Arrived(interests_["s"], {ErrorEvent(sequence)}); }
  void Announce(uint64_t sequence) { hub_.Announced(interests_["s"], {kEpoch, sequence}); }

  // Everybody who has subscribed at the top becomes live there.
  void BecomeLiveAt(uint64_t top) {
    Announce(top);
    while (!reads_.empty()) hub_.PageArrived(NextRead().read_id, MakePage(top + 1, top, top));
  }

  Pace::Time now_;
  std::map<RecordingSocket*, Hub::ReaderPtr> readers_;
  std::map<std::string, uint32_t> interests_;
  std::vector<uint32_t> ended_;
  std::vector<ReadRequest> reads_;
  std::vector<Position> opened_;
  Hub hub_;
};

using Lines = std::vector<std::string>;

}  // namespace sessioncast::edge
