// One I/O thread's table: which of its sockets read which session, and from where.
//
// A subscription is *live* (at the hub's position of its session, fed by what Attach brings) or
// *behind at a position* (reading pages). It goes live in the turn in which its position equals the
// hub's. First subscription, resume, a slow socket, an edge that re-attached: all are "behind", and
// all take this one way.
//
// Threads: one I/O thread, the sockets' own. Pure otherwise: what it asks of control goes out
// through Upward, what comes back is told to it (Attached, Arrived, PageArrived ...).
// Invariants: a socket gets the events of a session in order of sequence, each at most once, and
// what it does not get is declared as `skipped` in the next one; nothing before its `subscribed`;
// at most one read in flight a subscription.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/socketio/server.h"
#include "edge/wire.h"

namespace sessioncast::edge {

// Where a new subscription begins: after a position, or (nothing) with the fold.
using From = std::optional<Position>;

// A page to read from control.
struct ReadRequest {
  uint64_t read_id = 0;
  std::string session_id;
  From from;                // nothing: the fold ...
  uint64_t fold_after = 0;  // ... what of it is above this sequence
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
    // a socket with more queued is behind until its queue has drained
    size_t queue_bytes_max = 256 * 1024;
    uint32_t page_bytes_max = 64 * 1024;  // of events; one event always fits
    // a session: live events kept while somebody reads up to them
    size_t tail_bytes_max = 256 * 1024;
  };

  // What the hub asks of control. Called on the hub's thread.
  struct Upward {
    std::function<void(uint32_t interest_id, const std::string& session_id)> begin;
    std::function<void(uint32_t interest_id)> end;
    std::function<void(ReadRequest request)> read;  // answered by PageArrived, in another turn
  };

  // One reader's standing interest in a session. Opaque to its holder.
  class Subscription;
  using SubscriptionPtr = std::shared_ptr<Subscription>;

  // Told the place from which reading goes on, each time `subscribed` has been sent.
  using Opened = std::function<void(const Position& from)>;

  Hub(Options options, Upward upward);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // From sockets. `socket` outlives its subscriptions: its holder unsubscribes when it disconnects.
  SubscriptionPtr Subscribe(socketio::Socket& socket, const std::string& session_id, From from,
                            Opened opened);
  // Subscribing again to what is held: by id it only answers; after a position it moves there.
  void SubscribeAgain(Subscription& subscription, From from, Opened opened);
  void Unsubscribe(Subscription& subscription);
  // Answers who still waits for `subscribed`, with the place that was asked for: before an
  // Unsubscribe that the client sent in one breath with its subscribe.
  void AnswerAtOnce(Subscription& subscription);
  // The socket's queue has room again.
  void Drained(Subscription& subscription);

  // From control.
  // Interests can be sent, pages read. Begins every interest anew.
  void Attached();
  // Nothing more arrives until Attached; everybody is behind.
  void Detached();
  // Where the session of this interest is; live events follow it.
  void Announced(uint32_t interest_id, const Position& position);
  // Serialized events behind the announced position, without gaps.
  void Arrived(uint32_t interest_id, const std::vector<std::string>& events);
  void PageArrived(uint64_t read_id, const Page& page);
  // Reads again for whoever had an unavailable page.
  void Retry();

  struct Counts {
    size_t sessions = 0;
    size_t live = 0;
    size_t behind = 0;
  };
  Counts counts() const;

 private:
  struct Session;
  struct Read;
  struct HubEvent;
  class Hold;

  void Advance(const SubscriptionPtr& subscription);
  bool TryGoLive(Subscription& subscription);
  void StartRead(const SubscriptionPtr& subscription);
  void TakePage(const SubscriptionPtr& subscription, const Page& page,
                const std::vector<HubEvent>& events);
  void TakeFold(Subscription& subscription, const Page& page, const std::vector<HubEvent>& events);
  void Open(Subscription& subscription, const Position& from);
  void Deliver(Subscription& subscription, const HubEvent& event);
  void PassOver(Session& session, const absl::Status& why);
  void FanOut(Session& session, const HubEvent& event);
  void EndReading(Subscription& subscription);
  void OneReadLess(Session& session);
  void End(Session& session);
  template <typename Action>
  void ForEach(Session& session, Action action);

  const Options options_;
  const Upward upward_;
  bool attached_ = false;
  uint32_t last_interest_id_ = 0;
  uint64_t last_read_id_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions_;
  std::unordered_map<uint32_t, Session*> interests_;
  std::unordered_map<uint64_t, Read> reads_;
};

}  // namespace sessioncast::edge
