// What the hub's tables hold; of the hub's own files only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edge/hub.h"

namespace sessioncast::edge {

enum class Phase {
  kOpening,  // `subscribed` is not sent yet
  kBehind,
  kLive,
};

class Hub::Subscription {
 public:
  ReaderPtr reader;
  Session* session = nullptr;  // null: unsubscribed
  size_t index = 0;            // in the session's list
  Phase phase = Phase::kOpening;
  Position at;               // read up to here
  uint64_t seen = 0;         // the last sequence the client knows of
  bool is_known = false;     // control has `at`; else the client says so
  bool reads_fold = false;   // else: events after `at`
  uint64_t fold_after = 0;   // the fold has been delivered up to here
  uint64_t fold_through = 0;  // the top that all its pieces are of; 0: the first is not there yet
  bool begins_fold = false;  // the fold's first page is still to come
  bool resync = false;       // the fold begins with `resync`
  bool waits = false;        // stands in its reader's line
  uint64_t read_id = 0;      // in flight; 0: none
  std::optional<Position> resumed_at;  // where the socket was recovered, unless it moved since
  std::string entry_before;  // in the cursor, until the place that is asked for is told
  std::vector<Opened> opened;

  // Its entry in the cursor when all that is queued has left.
  std::string Entry() const;
};

class Hub::Reader {
 public:
  Reader(socketio::Socket& its_socket, Pace::Limits limits) : socket(&its_socket), pace(limits) {}

  socketio::Socket* socket;
  Pace pace;
  size_t reads = 0;                                // in flight
  std::vector<Subscription*> subscriptions;
  std::list<std::weak_ptr<Subscription>> line;     // wait for room
  std::function<void(const CursorMove&)> queued;   // null but for BrokenRule::kCursorAtEnqueue
};

// An event, and its packet made once for all sockets that have everything before it.
struct Hub::HubEvent {
  HubEvent(const std::string& session_id, WireEvent wire);
  WireEvent event;
  socketio::EncodedEvent packet;
};

// A page as its readers are shown it.
struct Hub::ShownPage {
  const Page& page;
  std::vector<HubEvent> events;
  size_t bytes;
};

struct Hub::Session {
  std::string id;
  uint32_t interest_id = 0;
  // Announced by control and moved by what arrives; nothing while not attached.
  std::optional<Position> live;
  std::vector<SubscriptionPtr> subscriptions;
  size_t reading = 0;         // subscriptions with a read in flight
  std::deque<HubEvent> tail;  // the last events up to `live`, while somebody reads
  size_t tail_bytes = 0;
  int holds = 0;  // while > 0 the session stays, and who leaves the list leaves a hole
};

struct Hub::Read {
  Session* session = nullptr;  // null: the session is gone
  ReadRequest request;
  std::vector<SubscriptionPtr> waiting;
};

// While it stands, the session and the order of its list stay, whoever leaves.
class Hub::Hold {
 public:
  Hold(Hub& hub, Session& session) : hub_(hub), session_(session) { ++session_.holds; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() {
    if (--session_.holds > 0) return;
    auto& list = session_.subscriptions;
    if (std::erase(list, nullptr) > 0) {
      for (size_t i = 0; i < list.size(); ++i) list[i]->index = i;
    }
    if (list.empty()) hub_.End(session_);
  }

 private:
  Hub& hub_;
  Session& session_;
};

template <typename Action>
void Hub::ForEach(Session& session, Action action) {
  const Hold hold(*this, session);
  for (size_t i = 0; i < session.subscriptions.size(); ++i) {
    if (session.subscriptions[i] != nullptr) action(SubscriptionPtr(session.subscriptions[i]));
  }
}

}  // namespace sessioncast::edge
