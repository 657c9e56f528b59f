// One I/O thread's table: which of its sockets read which session, and from where.
//
// A subscription is *live* (at the hub's position of its session, fed by what Attach brings) or
// *behind at a position* (reading pages). It goes live in the turn in which its position equals the
// hub's. First subscription, resume, recovery, a slow socket, an edge that re-attached: all are
// "behind", and all take this one way. A socket that has more queued than its pace allows is slow:
// its queued events are dropped, its subscriptions are behind where those began, and read
// conflated pages as fast as its queue drains.
//
// Threads: one I/O thread, the sockets' own. Pure otherwise: what it asks of control goes out
// through Upward, what comes back is told to it (Attached, Arrived, PageArrived ...).
// Invariants: a socket gets the events of a session in order of sequence, each at most once, and
// what it does not get is declared as `skipped` in the next one; nothing before its `subscribed`;
// at most one read in flight a subscription, and no more than fit into its socket's queue. Every
// event of a session, `subscribed` and `resync` are tagged with the CursorMove that they make.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/broken_rule.h"
#include "edge/cursor.h"
#include "edge/pace.h"
#include "edge/socketio/server.h"
#include "edge/unshown_log.h"
#include "edge/wire.h"
#include "sessioncast/v1/edge_service.pb.h"

namespace sessioncast::edge {

// A page to read from control.
struct ReadRequest {
  uint64_t read_id = 0;
  std::string session_id;
  Place from;
  uint64_t fold_through = 0;  // of a fold: the top that its first piece told; 0: this is the first
  bool conflated = false;
  uint32_t page_bytes_max = 0;
};

// What control answered.
struct Page {
  enum class Outcome { kPage, kOutOfRange, kUnavailable };
  Outcome outcome = Outcome::kUnavailable;
  Position top;
  uint64_t through = 0;             // covers the log up to here
  std::vector<std::string> events;  // serialized, in order of sequence
};

class Hub {
 public:
  struct Options {
    Pace::Limits pace;                     // of each socket
    uint32_t page_bytes_max = 64 * 1024;   // of events; one event always fits
    size_t tail_bytes_max = 256 * 1024;    // a session: live events kept while somebody reads
    std::function<Pace::Time()> now = [] { return std::chrono::steady_clock::now(); };
    std::shared_ptr<UnshownLog> unshown_log = std::make_shared<UnshownLog>();  // all hubs' one
    BrokenRule broken_rule = BrokenRule::kNone;  // of tests
  };

  // What the hub asks of control. Called on the hub's thread.
  struct Upward {
    std::function<void(uint32_t interest_id, const std::string& session_id)> begin;
    std::function<void(uint32_t interest_id)> end;
    std::function<void(ReadRequest request)> read;  // answered by PageArrived, in another turn
  };

  // One socket's side: what it may have queued, and its subscriptions. Opaque to its holder.
  class Reader;
  using ReaderPtr = std::shared_ptr<Reader>;
  // One reader's standing interest in a session. Opaque to its holder.
  class Subscription;
  using SubscriptionPtr = std::shared_ptr<Subscription>;

  // Told the place from which reading goes on, each time `subscribed` has been sent.
  using Opened = std::function<void(const Position& from)>;

  Hub(Options options, Upward upward);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // From sockets. `socket` outlives its reader's subscriptions: its holder unsubscribes when it
  // disconnects.
  ReaderPtr AddReader(socketio::Socket& socket);
  // Tells each move when its event is queued (BrokenRule::kCursorAtEnqueue).
  static void WatchQueued(Reader& reader, std::function<void(const CursorMove&)> queued);
  SubscriptionPtr Subscribe(const ReaderPtr& reader, const std::string& session_id,
                            const Place& from, Opened opened);
  // Goes on where an earlier socket's subscription was, without `subscribed`.
  SubscriptionPtr Resume(const ReaderPtr& reader, const std::string& session_id,
                         const Place& from);
  // Subscribing again to what is held: without a position, or after the one it was resumed at, it
  // only answers; after another it moves there.
  void SubscribeAgain(Subscription& subscription, std::optional<Position> after, Opened opened);
  // Drops its events that are queued, too. Returns its entry in the cursor when that is done.
  std::string Unsubscribe(Subscription& subscription);
  // Answers who still waits for `subscribed`, with the place that was asked for: before an
  // Unsubscribe that the client sent in one breath with its subscribe.
  void AnswerAtOnce(Subscription& subscription);
  // What Socket::AwaitDrain promised.
  void Drained(Reader& reader);

  // From control.
  // Interests can be sent, pages read. Begins every interest anew.
  void Attached();
  // Nothing more arrives until Attached; everybody is behind.
  void Detached();
  // All that a message of the Attach stream tells, in its order.
  void Received(const v1::AttachResponse& message);
  // Where the session of this interest is; live events follow it.
  void Announced(uint32_t interest_id, const Position& position);
  // Serialized events behind the announced position, without gaps.
  void Arrived(uint32_t interest_id, const std::vector<std::string>& events);
  void PageArrived(uint64_t read_id, const Page& page);
  // Reads again for whoever had an unavailable page.
  void Retry();

  struct Counts {
    size_t sessions = 0;
    size_t live = 0;          // subscriptions
    size_t behind = 0;        // subscriptions
    uint64_t skipped = 0;     // events that sockets did not get, so far
    uint64_t unshown = 0;     // events that cannot be shown, so far
    uint64_t overflowed = 0;  // times that a socket's queue was dropped, so far
  };
  Counts counts() const;

 private:
  struct Session;
  struct Read;
  struct HubEvent;
  struct ShownPage;
  class Hold;

  SubscriptionPtr Add(const ReaderPtr& reader, const std::string& session_id, const Place& from);
  void Advance(const SubscriptionPtr& subscription);
  bool TryGoLive(Subscription& subscription);
  void StartRead(const SubscriptionPtr& subscription);
  void TakePage(const SubscriptionPtr& subscription, const ShownPage& shown);
  bool TakeEvents(Subscription& subscription, const ShownPage& shown);
  void TakeFold(Subscription& subscription, const ShownPage& shown);
  void BeginAnew(Subscription& subscription);
  void Open(Subscription& subscription, const Position& from);
  void TellSubscribed(Subscription& subscription, const Position& from, std::string entry_before);
  void Tell(Subscription& subscription, std::string_view notice, std::string_view payload,
            const std::string& entry_before);
  void Deliver(Subscription& subscription, const HubEvent& event, CursorMove::Of of);
  void Emit(Reader& reader, const socketio::EncodedEvent& event);
  void PassOver(Session& session, const absl::Status& why);
  void CountUnshown(const Session& session, const absl::Status& why);
  void FanOut(Session& session, const HubEvent& event);
  void CancelRead(Subscription& subscription);
  void EndReading(Subscription& subscription);
  void OneReadLess(Session& session);
  void End(Session& session);

  bool HasRoom(const Reader& reader) const;
  void AwaitRoom(const SubscriptionPtr& subscription);
  void ArmDrain(Reader& reader);
  void Proceed(Reader& reader);
  void HoldBudget(Reader& reader, size_t event_bytes);
  void FallBehind(Reader& reader);
  void DropQueued(Reader& reader, const Subscription* only);
  void Rewind(Subscription& subscription, const CursorMove& first_dropped);

  template <typename Action>
  void ForEach(Session& session, Action action);

  const Options options_;
  const Upward upward_;
  bool attached_ = false;
  uint32_t last_interest_id_ = 0;
  uint64_t last_read_id_ = 0;
  uint64_t skipped_ = 0;
  uint64_t unshown_ = 0;
  uint64_t overflowed_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions_;
  std::unordered_map<uint32_t, Session*> interests_;
  std::unordered_map<uint64_t, Read> reads_;
};

}  // namespace sessioncast::edge
