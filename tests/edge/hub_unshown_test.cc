// Events that cannot be shown, from a control that should not have them: skipped, declared, told
// once, and never asked for again and again.
#include <functional>
#include <limits>
#include <sstream>

#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"
#include "tests/edge/hub_fixture.h"

namespace sessioncast::edge {
namespace {

std::string Altered(uint64_t sequence, const std::function<void(v1::Event&)>& alter) {
  v1::Event event;
  EXPECT_TRUE(event.ParseFromString(ErrorEvent(sequence)));
  alter(event);
  return event.SerializeAsString();
}

// `depth` structs in each other, on the wire as protobuf has it.
std::string NestedStruct(int depth) {
  std::string inner;
  const auto field = [](int number, const std::string& bytes) {
    std::string text(1, static_cast<char>(number << 3 | 2));
    for (size_t size = bytes.size();; size >>= 7) {
      text.push_back(static_cast<char>((size & 0x7F) | (size >= 0x80 ? 0x80 : 0)));
      if (size < 0x80) break;
    }
    return text + bytes;
  };
  for (int i = 0; i < depth; ++i) inner = field(1, field(1, "k") + field(2, field(5, inner)));
  return inner;
}

struct Poison {
  const char* what;
  std::string bytes;  // as event 3
};

std::vector<Poison> Poisons() {
  std::string bad_utf8 = ErrorEvent(3);
  bad_utf8.replace(bad_utf8.rfind('e'), 1, "\xff");
  const std::string whole = ErrorEvent(3);
  std::string too_deep = Altered(3, [](v1::Event& event) { event.clear_kind(); });
  const std::string completed = NestedStruct(200);  // Completed.result, in Event.completed
  std::string unknown_kind = Altered(3, [](v1::Event& event) { event.clear_kind(); });
  unknown_kind += "\xc2\x3e\x02\x08\x01";  // field 1000, of a later version
  std::vector<Poison> poisons = {
      {"bytes that are no message", std::string("\xff\xff\xff", 3)},
      {"nothing", ""},
      {"bad UTF-8", bad_utf8},
      {"cut off", whole.substr(0, whole.size() - 1)},
      {"a kind of a later version", unknown_kind},
      {"no position", Altered(3, [](v1::Event& event) { event.clear_position(); })},
  };
  for (const char* name : {"disconnect", "connect_error", "subscribed", "", "\n"}) {
    poisons.push_back({name, Altered(3, [name](v1::Event& event) {
                         event.mutable_custom()->set_name(name);
                       })});
  }
  poisons.push_back({"more bytes as JSON than a connection may have queued",
                     Altered(3, [](v1::Event& event) {
                       event.mutable_error()->set_message(std::string(2 * 1024 * 1024, '\x01'));
                     })});
  v1::Event deep;
  EXPECT_TRUE(deep.ParseFromString(ErrorEvent(3)));
  deep.mutable_completed();
  std::string deep_bytes = deep.SerializeAsString();
  // The last field is the empty `completed`: its key is kept, its length and bytes are ours.
  deep_bytes.pop_back();
  std::string body(1, '\x0a');
  const auto append_size = [](size_t size, std::string& to) {
    for (; size >= 0x80; size >>= 7) to.push_back(static_cast<char>((size & 0x7F) | 0x80));
    to.push_back(static_cast<char>(size));
  };
  append_size(completed.size(), body);
  body += completed;
  append_size(body.size(), deep_bytes);
  poisons.push_back({"too deep", deep_bytes + body});
  return poisons;
}

// The lines of the log while it stands.
class LogCapture {
 public:
  LogCapture() : usual_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::move(sink)));
  }
  ~LogCapture() { spdlog::set_default_logger(usual_); }
  size_t Count(const std::string& what) const {
    const std::string text = text_.str();
    size_t count = 0;
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++count;
    return count;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> usual_;
};

class HubUnshownTest : public HubTest {};

TEST_F(HubUnshownTest, ALiveOneIsDeclaredByTheNext) {
  for (const Poison& poison : Poisons()) {
    SCOPED_TRACE(poison.what);
    const uint64_t unshown = hub_.counts().unshown;
    RecordingSocket socket;
    const Hub::SubscriptionPtr subscription = Subscribe(socket, Position{kEpoch, 2});
    BecomeLiveAt(2);
    hub_.Arrived(interests_["s"], {poison.bytes});
    Arrive(4);
    hub_.Arrived(interests_["s"], {poison.bytes, poison.bytes, ErrorEvent(7)});
    EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "error 4 skipped 1", "error 7 skipped 2"}));
    EXPECT_TRUE(reads_.empty()) << "nobody asks for it again";
    EXPECT_EQ(hub_.counts().unshown - unshown, 3u);
    hub_.Unsubscribe(*subscription);
    readers_.clear();
  }
}

TEST_F(HubUnshownTest, ASessionIsToldOnceAlsoIfItsReadersComeAndGo) {
  const LogCapture log;
  RecordingSocket socket;
  for (int i = 0; i < 5; ++i) {
    const Hub::SubscriptionPtr subscription = Subscribe(socket, Position{kEpoch, 2});
    BecomeLiveAt(2);
    hub_.Arrived(interests_["s"], {"\xff", "\xff"});
    hub_.Unsubscribe(*subscription);
    now_ += std::chrono::minutes(1);
  }
  EXPECT_EQ(log.Count("cannot be shown"), 1u);
}

TEST_F(HubUnshownTest, OneInAPageIsPassedOverAndTheReaderGoesLive) {
  for (const Poison& poison : Poisons()) {
    SCOPED_TRACE(poison.what);
    RecordingSocket socket;
    const Hub::SubscriptionPtr subscription = Subscribe(socket, Position{kEpoch, 2});
    Announce(4);
    Page page = MakePage(3, 4, 4);
    page.events[0] = poison.bytes;
    hub_.PageArrived(NextRead().read_id, page);
    Arrive(5);
    EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "error 4 skipped 1", "error 5"}));
    EXPECT_TRUE(reads_.empty());
    hub_.Unsubscribe(*subscription);
    readers_.clear();
  }
}

TEST_F(HubUnshownTest, APageOfNothingElseIsPassedOverToo) {
  RecordingSocket socket;
  const Hub::SubscriptionPtr subscription = Subscribe(socket, Position{kEpoch, 2});
  Announce(3);
  Page page = MakePage(3, 3, 3);
  page.events[0] = "\xff";
  hub_.PageArrived(NextRead().read_id, page);
  Arrive(4);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "error 4 skipped 1"}));
  EXPECT_TRUE(reads_.empty());
}

TEST_F(HubUnshownTest, AFoldOfNothingElseIsPassedOverToo) {
  RecordingSocket socket;
  const Hub::SubscriptionPtr subscription = Subscribe(socket, std::nullopt);
  Announce(3);
  Page page = MakePage(3, 3, 3);
  page.events[0] = "\xff";
  hub_.PageArrived(NextRead().read_id, page);
  Arrive(4);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 4 skipped 3"}));
  EXPECT_TRUE(reads_.empty());
}

TEST_F(HubUnshownTest, ManySessionsOfThemDoNotFillTheLog) {
  const LogCapture log;
  RecordingSocket socket;
  std::vector<Hub::SubscriptionPtr> subscriptions;
  for (int i = 0; i < 100; ++i) {
    const std::string session = "s" + std::to_string(i);
    subscriptions.push_back(Subscribe(socket, Position{kEpoch, 2}, session));
    hub_.Announced(interests_[session], {kEpoch, 2});
    while (!reads_.empty()) hub_.PageArrived(NextRead().read_id, MakePage(3, 2, 2));
    hub_.Arrived(interests_[session], {"\xff"});
  }
  EXPECT_EQ(hub_.counts().unshown, 100u);
  EXPECT_EQ(log.Count("cannot be shown"), 10u);
}

TEST_F(HubUnshownTest, ATimeThatIsNoneIsShownAsSomeTime) {
  for (const int64_t seconds : {std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    const absl::StatusOr<WireEvent> event = ParseWire(Altered(3, [seconds](v1::Event& event) {
      event.mutable_time()->set_seconds(seconds);
      event.mutable_time()->set_nanos(seconds < 0 ? -2'000'000'000 : 2'000'000'000);
    }));
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_FALSE(socketio::Json::parse(event->payload, nullptr, false).is_discarded());
  }
}

}  // namespace
}  // namespace sessioncast::edge
