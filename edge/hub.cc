#include "edge/hub.h"

#include <algorithm>
#include <utility>

#include "spdlog/spdlog.h"

namespace sessioncast::edge {

enum class Phase {
  kOpening,  // `subscribed` is not sent yet
  kBehind,
  kLive,
};

class Hub::Subscription {
 public:
  socketio::Socket* socket = nullptr;
  Session* session = nullptr;  // null: unsubscribed
  size_t index = 0;            // in the session's list
  Phase phase = Phase::kOpening;
  Position at;              // read up to here
  uint64_t seen = 0;        // the last sequence the client knows of
  bool reads_fold = false;  // else: events after `at`
  uint64_t fold_after = 0;  // the fold has been delivered up to here
  bool resync = false;      // the fold begins with `resync`
  bool slow = false;        // its pages are conflated
  uint64_t read_id = 0;     // in flight; 0: none
  std::vector<Opened> opened;
};

// An event, and its packet made once for all sockets that have everything before it.
struct Hub::HubEvent {
  explicit HubEvent(WireEvent wire) : event(std::move(wire)), packet(Encode(event, 0)) {}
  WireEvent event;
  socketio::EncodedEvent packet;
};

struct Hub::Session {
  std::string id;
  uint32_t interest_id = 0;
  std::optional<Position>
      live;  // announced by control and moved by what arrives; nothing while not attached
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

Hub::Hub(Options options, Upward upward) : options_(options), upward_(std::move(upward)) {}
Hub::~Hub() = default;

template <typename Action>
void Hub::ForEach(Session& session, Action action) {
  const Hold hold(*this, session);
  for (size_t i = 0; i < session.subscriptions.size(); ++i) {
    if (session.subscriptions[i] != nullptr) action(SubscriptionPtr(session.subscriptions[i]));
  }
}

Hub::SubscriptionPtr Hub::Subscribe(socketio::Socket& socket, const std::string& session_id,
                                    From from, Opened opened) {
  std::unique_ptr<Session>& slot = sessions_[session_id];
  if (slot == nullptr) {
    slot = std::make_unique<Session>();
    slot->id = session_id;
    slot->interest_id = ++last_interest_id_;
    interests_[slot->interest_id] = slot.get();
    if (attached_) upward_.begin(slot->interest_id, session_id);
  }
  auto subscription = std::make_shared<Subscription>();
  subscription->socket = &socket;
  subscription->session = slot.get();
  subscription->index = slot->subscriptions.size();
  subscription->reads_fold = !from.has_value();
  subscription->at = from.value_or(Position{});
  subscription->seen = subscription->at.sequence;
  subscription->opened.push_back(std::move(opened));
  slot->subscriptions.push_back(subscription);
  Advance(subscription);
  return subscription;
}

void Hub::SubscribeAgain(Subscription& subscription, From from, Opened opened) {
  subscription.opened.push_back(std::move(opened));
  if (!from.has_value()) {
    if (subscription.phase != Phase::kOpening) {
      Open(subscription, {subscription.at.epoch, subscription.seen});
    }
    return;
  }
  if (subscription.read_id != 0) {
    // What is in flight was asked for another position.
    std::erase_if(reads_.at(subscription.read_id).waiting,
                  [&](const SubscriptionPtr& other) { return other.get() == &subscription; });
    EndReading(subscription);
  }
  subscription.phase = Phase::kOpening;
  subscription.at = *from;
  subscription.seen = from->sequence;
  subscription.reads_fold = subscription.resync = false;
  subscription.fold_after = 0;
  Advance(subscription.session->subscriptions[subscription.index]);
}

void Hub::Unsubscribe(Subscription& subscription) {
  if (subscription.session == nullptr) return;
  EndReading(subscription);
  Session& session = *std::exchange(subscription.session, nullptr);
  const Hold hold(*this, session);  // closes the hole, or ends the session
  const SubscriptionPtr last_look = std::move(session.subscriptions[subscription.index]);
}

void Hub::AnswerAtOnce(Subscription& s) {
  if (s.session == nullptr || s.phase != Phase::kOpening) return;
  const Hold hold(*this, *s.session);
  s.resync = false;
  Open(s, s.at);
}

void Hub::EndReading(Subscription& subscription) {
  if (std::exchange(subscription.read_id, 0) != 0) OneReadLess(*subscription.session);
}

void Hub::OneReadLess(Session& session) {
  if (--session.reading > 0) return;
  session.tail.clear();  // nobody reads up to it any more
  session.tail_bytes = 0;
}

void Hub::End(Session& session) {
  if (attached_) upward_.end(session.interest_id);
  for (auto& [id, read] : reads_) {
    if (read.session == &session) read.session = nullptr;
  }
  interests_.erase(session.interest_id);
  sessions_.erase(std::string(session.id));
}

void Hub::Drained(Subscription& subscription) {
  if (subscription.session == nullptr) return;
  Advance(subscription.session->subscriptions[subscription.index]);
}

// Takes the subscription as far towards live as it gets now.
void Hub::Advance(const SubscriptionPtr& subscription) {
  Subscription& s = *subscription;
  if (s.session == nullptr || s.phase == Phase::kLive || s.read_id != 0) return;
  const Hold hold(*this, *s.session);
  if (s.socket->queued_bytes() > options_.queue_bytes_max) {
    s.slow = true;  // Drained comes back here
    return;
  }
  if (!s.reads_fold && TryGoLive(s)) return;
  if (attached_) StartRead(subscription);  // else Announced comes back here
}

bool Hub::TryGoLive(Subscription& s) {
  const Session& session = *s.session;
  if (!session.live.has_value()) return false;
  const Position& live = *session.live;
  const bool from_start = s.at.sequence == 0 && s.at.epoch.empty();
  if (s.at.epoch != live.epoch && !from_start) return false;
  // Behind the hub, the tail may bridge; ahead of it (a page was newer than what has arrived),
  // FanOut passes over.
  const bool bridged =
      s.at.sequence >= live.sequence ||
      (!session.tail.empty() && session.tail.front().event.position.epoch == live.epoch &&
       session.tail.front().event.position.sequence <= s.at.sequence + 1);
  if (!bridged) return false;
  if (s.at.epoch.empty()) s.at.epoch = live.epoch;
  if (s.phase == Phase::kOpening) Open(s, s.at);
  s.phase = Phase::kLive;
  s.slow = false;
  for (const HubEvent& event : session.tail) {
    if (s.session == nullptr) return true;  // its socket closed under us
    Deliver(s, event);
  }
  return true;
}

void Hub::StartRead(const SubscriptionPtr& subscription) {
  Subscription& s = *subscription;
  Session& session = *s.session;
  ReadRequest request;
  request.session_id = session.id;
  if (!s.reads_fold) request.from = s.at;
  request.fold_after = s.reads_fold ? s.fold_after : 0;
  request.conflated = s.slow;
  request.page_bytes_max = options_.page_bytes_max;
  ++session.reading;
  // Many sockets at one place (an edge that re-attached) share one read.
  for (auto& [id, read] : reads_) {
    if (read.session == &session && read.request.from == request.from &&
        read.request.fold_after == request.fold_after &&
        read.request.conflated == request.conflated) {
      s.read_id = id;
      read.waiting.push_back(subscription);
      return;
    }
  }
  s.read_id = request.read_id = ++last_read_id_;
  Read& read = reads_[request.read_id];
  read.session = &session;
  read.request = request;
  read.waiting.push_back(subscription);
  upward_.read(std::move(request));
}

void Hub::PageArrived(uint64_t read_id, const Page& page) {
  const auto node = reads_.extract(read_id);
  if (node.empty() || node.mapped().session == nullptr) return;
  const Read& read = node.mapped();
  std::vector<HubEvent> events;
  events.reserve(page.events.size());
  for (const std::string& serialized : page.events) {
    absl::StatusOr<WireEvent> event = ParseWire(serialized);
    if (event.ok()) {
      events.emplace_back(*std::move(event));
    } else {
      spdlog::error("session {}: an event was skipped: {}", read.request.session_id,
                    event.status().ToString());
    }
  }
  const Hold hold(*this, *read.session);
  for (const SubscriptionPtr& subscription : read.waiting) {
    if (subscription->session == nullptr) continue;
    subscription->read_id = 0;
    TakePage(subscription, page, events);
    OneReadLess(*read.session);  // only now: the tail stays until everybody has had a look at it
  }
}

void Hub::TakePage(const SubscriptionPtr& subscription, const Page& page,
                   const std::vector<HubEvent>& events) {
  Subscription& s = *subscription;
  if (page.outcome == Page::Outcome::kUnavailable) return;  // Retry comes back
  if (page.outcome == Page::Outcome::kOutOfRange) {
    s.reads_fold = s.resync = true;
    s.fold_after = 0;
    return Advance(subscription);
  }
  if (s.reads_fold) {
    TakeFold(s, page, events);
  } else {
    const uint64_t before = s.at.sequence;
    if (s.at.epoch.empty()) s.at.epoch = page.top.epoch;
    if (s.phase == Phase::kOpening) Open(s, s.at);
    for (const HubEvent& event : events) Deliver(s, event);
    s.at = {page.top.epoch, std::max(before, page.through)};
    // A page that leads nowhere: asked again by Retry, not in a tight circle.
    if (s.at.sequence == before && before < page.top.sequence) return;
  }
  Advance(subscription);
}

void Hub::TakeFold(Subscription& s, const Page& page, const std::vector<HubEvent>& events) {
  const bool first = s.fold_after == 0;
  if (!first && s.at.epoch != page.top.epoch) {
    // The log began a new life in the middle of the fold.
    s.fold_after = 0;
    s.resync = true;
    return;
  }
  if (first) {
    const Position from{page.top.epoch, events.empty() ? page.top.sequence : 0};
    s.at = from;
    s.seen = from.sequence;
    Open(s, from);
  }
  for (const HubEvent& event : events) Deliver(s, event);
  s.at = {page.top.epoch, page.through};
  s.reads_fold = page.through < page.top.sequence && !events.empty();
  s.fold_after = s.reads_fold ? page.through : 0;
}

// Says where reading goes on from: `subscribed` to whoever waits for it, `resync` if what came
// before is void.
void Hub::Open(Subscription& s, const Position& from) {
  const auto now = std::chrono::system_clock::now();
  if (s.phase == Phase::kOpening) s.phase = Phase::kBehind;
  for (Opened& opened : std::exchange(s.opened, {})) {
    s.socket->Emit(socketio::EncodedEvent::FromJson("subscribed",
                                                    SubscribedPayload(s.session->id, from, now)));
    opened(from);
    if (s.session == nullptr) return;
  }
  if (!std::exchange(s.resync, false)) return;
  s.socket->Emit(
      socketio::EncodedEvent::FromJson("resync", ResyncPayload(s.session->id, from, now)));
}

void Hub::Deliver(Subscription& s, const HubEvent& shown) {
  const Position& position = shown.event.position;
  if (s.session == nullptr) return;  // its socket closed under us
  if (position.epoch == s.at.epoch && position.sequence <= s.seen) return;
  const uint64_t skipped = position.sequence - s.seen - 1;
  s.at = position;
  s.seen = position.sequence;
  s.socket->Emit(skipped == 0 ? shown.packet : Encode(shown.event, skipped));
}

void Hub::Attached() {
  attached_ = true;
  for (auto& [id, session] : sessions_) upward_.begin(session->interest_id, id);
}

void Hub::Detached() {
  attached_ = false;
  for (auto& [id, session] : sessions_) {
    session->live.reset();
    session->tail.clear();
    session->tail_bytes = 0;
    for (const SubscriptionPtr& s : session->subscriptions) {
      if (s->phase == Phase::kLive) s->phase = Phase::kBehind;
    }
  }
}

void Hub::Announced(uint32_t interest_id, const Position& position) {
  const auto found = interests_.find(interest_id);
  if (found == interests_.end()) return;
  Session& session = *found->second;
  session.tail.clear();
  session.tail_bytes = 0;
  session.live = position;
  ForEach(session, [&](const SubscriptionPtr& s) {
    if (s->phase == Phase::kLive && s->at != position) s->phase = Phase::kBehind;
    Advance(s);
  });
}

void Hub::Arrived(uint32_t interest_id, const std::vector<std::string>& events) {
  const auto found = interests_.find(interest_id);
  if (found == interests_.end() || !found->second->live.has_value()) return;
  Session& session = *found->second;
  const Hold hold(*this, session);
  for (const std::string& serialized : events) {
    absl::StatusOr<WireEvent> event = ParseWire(serialized);
    if (!event.ok()) {
      PassOver(session, event.status());
      continue;
    }
    session.live = event->position;
    const HubEvent shown(*std::move(event));
    FanOut(session, shown);
    if (session.reading == 0) continue;
    session.tail_bytes += shown.event.payload.size();
    session.tail.push_back(shown);
    while (session.tail_bytes > options_.tail_bytes_max) {
      session.tail_bytes -= session.tail.front().event.payload.size();
      session.tail.pop_front();
    }
  }
  ForEach(session, [&](const SubscriptionPtr& s) { Advance(s); });
}

// An event that cannot be shown; the next one that can declares it as skipped.
void Hub::PassOver(Session& session, const absl::Status& why) {
  ++session.live->sequence;
  spdlog::error("session {}: event {} was skipped: {}", session.id, session.live->sequence,
                why.ToString());
  ForEach(session, [&](const SubscriptionPtr& s) {
    if (s->phase == Phase::kLive) s->at = *session.live;
  });
}

void Hub::FanOut(Session& session, const HubEvent& shown) {
  const Position& position = shown.event.position;
  ForEach(session, [&](const SubscriptionPtr& subscription) {
    Subscription& s = *subscription;
    if (s.phase != Phase::kLive) return;
    if (position.sequence <= s.at.sequence && position.epoch == s.at.epoch) return;
    if (position.sequence != s.at.sequence + 1) {
      s.phase = Phase::kBehind;
      return;
    }
    Deliver(s, shown);
    if (s.session != nullptr && s.socket->queued_bytes() > options_.queue_bytes_max) {
      s.phase = Phase::kBehind;
      s.slow = true;
    }
  });
}

void Hub::Retry() {
  std::vector<uint32_t> interest_ids;
  for (const auto& [id, session] : interests_) interest_ids.push_back(id);
  for (const uint32_t id : interest_ids) {
    const auto found = interests_.find(id);
    if (found == interests_.end()) continue;
    ForEach(*found->second, [&](const SubscriptionPtr& s) { Advance(s); });
  }
}

Hub::Counts Hub::counts() const {
  Counts counts;
  counts.sessions = sessions_.size();
  for (const auto& [id, session] : sessions_) {
    for (const SubscriptionPtr& s : session->subscriptions) {
      if (s == nullptr) continue;
      ++(s->phase == Phase::kLive ? counts.live : counts.behind);
    }
  }
  return counts;
}

}  // namespace sessioncast::edge
