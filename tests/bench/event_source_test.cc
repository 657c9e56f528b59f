// When which event is meant to be sent.
#include "bench/load/event_source.h"

#include <map>

#include "gtest/gtest.h"

namespace sessioncast::bench {
namespace {

TEST(EventSourceTest, EventsAreEvenlySpreadOverTimeAndSessions) {
  EventSource source({.session_prefix = "s-", .sessions = 2, .rate = 1'000}, 5'000);
  v1::PublishEventsRequest message;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(source.AddTo(message), 5'000 + i * 1'000'000);
  EXPECT_EQ(source.next_time_ns(), 5'000 + 4'000'000);
  for (int i = 0; i < 4; ++i) {
    const v1::Event& event = message.events(i).event();
    EXPECT_EQ(event.session_id(), i % 2 == 0 ? "s-0" : "s-1");
    const std::optional<Stamp> stamp = FindStamp(event.model_result().result());
    ASSERT_TRUE(stamp.has_value());
    EXPECT_EQ(stamp->time_ns, 5'000 + i * 1'000'000);
    EXPECT_EQ(stamp->number, i / 2);
  }
}

TEST(EventSourceTest, ABurstIsOfOneSessionAndOneTime) {
  EventSource source({.sessions = 2, .rate = 1'000, .burst = 3, .event = EventKind::kToken}, 0);
  v1::PublishEventsRequest message;
  std::map<std::string, int> events;
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(source.AddTo(message), i / 3 * 3'000'000);
    const v1::Event& event = message.events(i).event();
    EXPECT_EQ(event.session_id(), i < 3 ? "bench-0" : "bench-1");
    EXPECT_EQ(event.custom().name(), "token");
    const std::string& text = event.custom().data().fields().at("text").string_value();
    ASSERT_TRUE(FindStamp(text).has_value());
    EXPECT_EQ(FindStamp(text)->number, i % 3);
  }
}

TEST(EventSourceTest, InAClosedLoopTheTimeIsNow) {
  EventSource source({.sessions = 1, .rate = 1}, 0);
  v1::PublishEventsRequest message;
  const int64_t before = NowNs();
  source.AddNowTo(message);
  source.AddNowTo(message);
  const std::optional<Stamp> stamp = FindStamp(message.events(1).event().model_result().result());
  ASSERT_TRUE(stamp.has_value());
  EXPECT_GE(stamp->time_ns, before);
  EXPECT_LE(stamp->time_ns, NowNs());
  EXPECT_EQ(stamp->number, 1U);
}

}  // namespace
}  // namespace sessioncast::bench
