#include "edge/hub.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "edge/hub_tables.h"
#include "spdlog/spdlog.h"

namespace sessioncast::edge {

std::string Hub::Subscription::Entry() const {
  if (phase == Phase::kOpening || resync) return entry_before;
  return EntryText(session->id, {reads_fold ? Place::Kind::kFold : Place::Kind::kAfter,
                                 {at.epoch, seen}});
}

Hub::Hub(Options options, Upward upward)
    : options_(std::move(options)), upward_(std::move(upward)) {}
Hub::~Hub() = default;

// ---- subscribing

Hub::ReaderPtr Hub::AddReader(socketio::Socket& socket) {
  return std::make_shared<Reader>(socket, options_.pace);
}

void Hub::WatchQueued(Reader& reader, std::function<void(const CursorMove&)> queued) {
  reader.queued = std::move(queued);
}

Hub::SubscriptionPtr Hub::Add(const ReaderPtr& reader, const std::string& session_id,
                              const Place& from) {
  std::unique_ptr<Session>& slot = sessions_[session_id];
  if (slot == nullptr) {
    slot = std::make_unique<Session>();
    slot->id = session_id;
    slot->interest_id = ++last_interest_id_;
    interests_[slot->interest_id] = slot.get();
    if (attached_) upward_.begin(slot->interest_id, session_id);
  }
  auto subscription = std::make_shared<Subscription>();
  subscription->reader = reader;
  subscription->session = slot.get();
  subscription->index = slot->subscriptions.size();
  subscription->at = from.position;
  subscription->seen = from.position.sequence;
  if (from.kind == Place::Kind::kFold) {
    subscription->reads_fold = true;
    subscription->begins_fold = from.position.epoch.empty();
    subscription->fold_after = from.position.sequence;
  }
  slot->subscriptions.push_back(subscription);
  reader->subscriptions.push_back(subscription.get());
  return subscription;
}

Hub::SubscriptionPtr Hub::Subscribe(const ReaderPtr& reader, const std::string& session_id,
                                    const Place& from, Opened opened) {
  SubscriptionPtr subscription = Add(reader, session_id, from);
  subscription->opened.push_back(std::move(opened));
  Advance(subscription);
  return subscription;
}

Hub::SubscriptionPtr Hub::Resume(const ReaderPtr& reader, const std::string& session_id,
                                 const Place& from) {
  SubscriptionPtr subscription = Add(reader, session_id, from);
  subscription->phase = Phase::kBehind;
  subscription->resumed_at = from.position;
  Advance(subscription);
  return subscription;
}

void Hub::SubscribeAgain(Subscription& s, std::optional<Position> after, Opened opened) {
  s.opened.push_back(std::move(opened));
  const Hold hold(*this, *s.session);
  const SubscriptionPtr subscription = s.session->subscriptions[s.index];  // if its socket closes
  // What it is told is true whatever is dropped later: no event is queued before it.
  DropQueued(*s.reader, &s);
  // A client that keeps positions too asks for what its recovery has begun to give.
  if (after.has_value() && after == s.resumed_at) after.reset();
  if (!after.has_value()) {
    if (options_.broken_rule == BrokenRule::kResubscribeRestartsFold) {
      s.reads_fold = s.begins_fold = true;
      s.fold_through = 0;
      s.phase = Phase::kBehind;
      return Advance(subscription);
    }
    if (s.phase != Phase::kOpening) TellSubscribed(s, {s.at.epoch, s.seen}, s.Entry());
    return Advance(subscription);
  }
  CancelRead(s);  // what is in flight was asked for another position
  s.entry_before = s.Entry();
  s.phase = Phase::kOpening;
  s.resumed_at.reset();
  s.at = *std::move(after);
  s.seen = s.at.sequence;
  s.is_known = false;
  s.reads_fold = s.begins_fold = s.resync = false;
  s.fold_after = 0;
  Advance(subscription);
}

std::string Hub::Unsubscribe(Subscription& s) {
  if (s.session == nullptr) return {};
  DropQueued(*s.reader, &s);
  std::string entry = s.Entry();
  EndReading(s);
  std::erase(s.reader->subscriptions, &s);
  if (s.reader->subscriptions.empty()) s.reader->line.clear();
  // Others may have waited for the page that does not come now.
  if (!s.reader->line.empty()) ArmDrain(*s.reader);
  Session& session = *std::exchange(s.session, nullptr);
  const Hold hold(*this, session);  // closes the hole, or ends the session
  const SubscriptionPtr last_look = std::move(session.subscriptions[s.index]);
  return entry;
}

void Hub::AnswerAtOnce(Subscription& s) {
  if (s.session == nullptr || s.phase != Phase::kOpening) return;
  const Hold hold(*this, *s.session);
  s.reads_fold = s.resync = false;  // in the cursor, too
  Open(s, s.at);
}

void Hub::End(Session& session) {
  if (attached_) upward_.end(session.interest_id);
  for (auto& [id, read] : reads_) {
    if (read.session == &session) read.session = nullptr;
  }
  interests_.erase(session.interest_id);
  sessions_.erase(std::string(session.id));
}

// ---- what control says

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

void Hub::Received(const v1::AttachResponse& message) {
  for (const v1::LiveBatch& batch : message.batches()) {
    if (batch.has_announced()) {
      Announced(batch.interest_id(), {batch.announced().epoch(), batch.announced().sequence()});
    }
    Arrived(batch.interest_id(), {batch.events().begin(), batch.events().end()});
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
    const HubEvent shown(session.id, *std::move(event));
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
  CountUnshown(session, why);
  ForEach(session, [&](const SubscriptionPtr& s) {
    if (s->phase == Phase::kLive) s->at = *session.live;
  });
}

void Hub::CountUnshown(const Session& session, const absl::Status& why) {
  ++unshown_;
  options_.unshown_log->Say(session.id, {why.message().data(), why.message().size()},
                            options_.now());
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
    Deliver(s, shown, CursorMove::Of::kEvent);
    if (s.session != nullptr) HoldBudget(*s.reader, shown.packet.bytes());
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
  counts.skipped = skipped_;
  counts.unshown = unshown_;
  counts.overflowed = overflowed_;
  for (const auto& [id, session] : sessions_) {
    for (const SubscriptionPtr& s : session->subscriptions) {
      if (s == nullptr) continue;
      ++(s->phase == Phase::kLive ? counts.live : counts.behind);
    }
  }
  return counts;
}

// ---- a socket's queue

bool Hub::HasRoom(const Reader& reader) const {
  const size_t queued = reader.socket->queued_bytes();
  if (queued == 0 && reader.reads == 0) return true;  // one event always fits
  return !reader.pace.slow() &&
         queued + (reader.reads + 1) * options_.page_bytes_max <= reader.pace.budget_bytes();
}

void Hub::AwaitRoom(const SubscriptionPtr& subscription) {
  if (!std::exchange(subscription->waits, true)) {
    subscription->reader->line.push_back(subscription);
  }
  ArmDrain(*subscription->reader);
}

void Hub::ArmDrain(Reader& reader) {
  // With a read in flight, its page comes back here.
  if (reader.reads > 0) return;
  const size_t budget = reader.pace.budget_bytes();
  // There is room for a page then: else it would be told at once, again and again.
  const size_t room_at = budget - std::min<size_t>(budget, options_.page_bytes_max);
  reader.socket->AwaitDrain(reader.pace.slow() ? 0 : std::min(budget / 2, room_at));
}

void Hub::Drained(Reader& reader) {
  if (reader.socket->queued_bytes() == 0 && reader.pace.slow()) {
    reader.pace.Drained(options_.now());
    if (!reader.pace.slow()) reader.socket->SetUnsentMax(std::nullopt);
  }
  Proceed(reader);
}

// Lets those that wait for room go on, one after another.
void Hub::Proceed(Reader& reader) {
  while (!reader.line.empty() && HasRoom(reader)) {
    const SubscriptionPtr next = reader.line.front().lock();
    reader.line.pop_front();
    if (next == nullptr || next->session == nullptr) continue;
    next->waits = false;
    Advance(next);
  }
  if (!reader.line.empty()) ArmDrain(reader);
}

// After an event of so many bytes was queued.
void Hub::HoldBudget(Reader& reader, size_t event_bytes) {
  constexpr size_t kEventOverheadBytes = 16 * 1024;  // its cursor, and packets that are no events
  if (reader.socket->queued_bytes() <= reader.pace.budget_bytes()) return;
  reader.socket->Flush();
  if (reader.subscriptions.empty()) return;  // its socket closed under us, and is gone
  // One event always fits.
  const size_t bytes_max =
      std::max(reader.pace.budget_bytes(), event_bytes + kEventOverheadBytes);
  if (reader.socket->queued_bytes() > bytes_max) FallBehind(reader);
}

// Its queued events are dropped: it reads them again, conflated, as its queue drains.
void Hub::FallBehind(Reader& reader) {
  ++overflowed_;
  if (!reader.pace.slow()) {
    spdlog::info("Socket {} is slow: its queue of {} bytes is dropped, and read again conflated",
                 reader.socket->id(), reader.socket->queued_bytes());
  }
  reader.pace.Overflowed();
  reader.socket->SetUnsentMax(1);
  DropQueued(reader, nullptr);
  for (Subscription* s : std::vector<Subscription*>(reader.subscriptions)) {
    if (s->phase == Phase::kLive) s->phase = Phase::kBehind;
    if (s->read_id == 0) AwaitRoom(s->session->subscriptions[s->index]);
  }
}

// Drops the events (of one subscription, or of all) that have not begun to leave, and puts their
// subscriptions behind where those began.
void Hub::DropQueued(Reader& reader, const Subscription* only) {
  std::vector<Subscription*> rewound;
  reader.socket->DropQueued([&](const socketio::Tag& tag) {
    const auto& move = *static_cast<const CursorMove*>(tag.get());
    if (move.of == CursorMove::Of::kNotice) return false;
    const auto found = std::find_if(
        reader.subscriptions.begin(), reader.subscriptions.end(),
        [&](const Subscription* s) { return s->session->id == move.session_id; });
    if (found == reader.subscriptions.end() || (only != nullptr && *found != only)) return false;
    if (std::find(rewound.begin(), rewound.end(), *found) == rewound.end()) {
      rewound.push_back(*found);
      Rewind(**found, move);
    }
    return true;
  });
}

void Hub::Rewind(Subscription& s, const CursorMove& first_dropped) {
  if (s.phase == Phase::kOpening || s.resync) {
    // It moves elsewhere, from where it was then.
    s.entry_before = first_dropped.entry_before;
    return;
  }
  CancelRead(s);
  s.phase = Phase::kBehind;
  s.at = first_dropped.before;
  s.seen = s.at.sequence;
  s.reads_fold = first_dropped.of == CursorMove::Of::kFoldEvent;
  s.begins_fold = false;
  s.fold_after = s.reads_fold ? s.seen : 0;
}

}  // namespace sessioncast::edge
