// The hub's readers: from behind to live, page by page, and what each is shown.
#include <algorithm>
#include <utility>

#include "edge/hub.h"
#include "edge/hub_tables.h"

namespace sessioncast::edge {
namespace {

// The move that an event makes for a reader who was at `before`.
CursorMove MoveOf(CursorMove::Of of, const std::string& session_id, const Position& before,
                  const Place& place) {
  const auto kind = of == CursorMove::Of::kFoldEvent ? Place::Kind::kFold : Place::Kind::kAfter;
  return {of, session_id, before, EntryText(session_id, place),
          EntryText(session_id, {kind, before})};
}

socketio::Tag TagOf(CursorMove move) { return std::make_shared<const CursorMove>(std::move(move)); }

}  // namespace

Hub::HubEvent::HubEvent(const std::string& session_id, WireEvent wire)
    : event(std::move(wire)),
      packet(Encode(event, 0,
                    TagOf(MoveOf(CursorMove::Of::kEvent, session_id,
                                 {event.position.epoch, event.position.sequence - 1},
                                 {Place::Kind::kAfter, event.position})))) {}

// Takes the subscription as far towards live as it gets now.
void Hub::Advance(const SubscriptionPtr& subscription) {
  Subscription& s = *subscription;
  if (s.session == nullptr || s.phase == Phase::kLive || s.read_id != 0) return;
  const Hold hold(*this, *s.session);
  if (!HasRoom(*s.reader)) return AwaitRoom(subscription);
  if (std::exchange(s.waits, false)) {
    std::erase_if(s.reader->line, [&](const auto& other) { return other.lock() == subscription; });
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
  if (s.at.sequence > live.sequence && !s.is_known) return false;  // control says whether it is
  // Behind the hub, the tail may bridge; ahead of it (a page was newer than what has arrived),
  // FanOut passes over.
  const bool bridged =
      s.at.sequence >= live.sequence ||
      (!session.tail.empty() && session.tail.front().event.position.epoch == live.epoch &&
       session.tail.front().event.position.sequence <= s.at.sequence + 1);
  if (!bridged) return false;
  if (s.at.epoch.empty()) s.at.epoch = live.epoch;
  s.is_known = true;
  if (s.phase == Phase::kOpening) Open(s, s.at);
  s.phase = Phase::kLive;
  for (size_t i = 0; i < session.tail.size() && s.phase == Phase::kLive; ++i) {
    Deliver(s, session.tail[i], CursorMove::Of::kEvent);
    if (s.session == nullptr) return true;  // its socket closed under us
    HoldBudget(*s.reader, session.tail[i].packet.bytes());
    if (s.session == nullptr) return true;
  }
  return true;
}

// ---- reading

void Hub::StartRead(const SubscriptionPtr& subscription) {
  Subscription& s = *subscription;
  Session& session = *s.session;
  ReadRequest request;
  request.session_id = session.id;
  request.from.position = s.at;
  if (s.reads_fold) {
    request.from.kind = Place::Kind::kFold;
    request.from.position.sequence = s.begins_fold ? 0 : s.fold_after;
    request.fold_through = s.fold_through;
  }
  request.conflated = s.reader->pace.slow();
  request.page_bytes_max = static_cast<uint32_t>(
      std::min<size_t>(options_.page_bytes_max, s.reader->pace.budget_bytes()));
  ++session.reading;
  ++s.reader->reads;
  // Many sockets at one place (an edge that re-attached) share one read.
  for (auto& [id, read] : reads_) {
    if (read.session == &session && read.request.from == request.from &&
        read.request.fold_through == request.fold_through &&
        read.request.page_bytes_max == request.page_bytes_max &&
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

void Hub::CancelRead(Subscription& s) {
  if (s.read_id == 0) return;
  if (const auto read = reads_.find(s.read_id); read != reads_.end()) {
    std::erase_if(read->second.waiting,
                  [&](const SubscriptionPtr& other) { return other.get() == &s; });
  }
  EndReading(s);
}

void Hub::EndReading(Subscription& s) {
  if (std::exchange(s.read_id, 0) == 0) return;
  --s.reader->reads;
  OneReadLess(*s.session);
}

void Hub::OneReadLess(Session& session) {
  if (--session.reading > 0) return;
  session.tail.clear();  // nobody reads up to it any more
  session.tail_bytes = 0;
}

void Hub::PageArrived(uint64_t read_id, const Page& page) {
  const auto node = reads_.extract(read_id);
  if (node.empty() || node.mapped().session == nullptr) return;
  const Read& read = node.mapped();
  ShownPage shown{page, {}, 0};
  shown.events.reserve(page.events.size());
  for (const std::string& serialized : page.events) {
    absl::StatusOr<WireEvent> event = ParseWire(serialized);
    if (event.ok()) {
      shown.bytes += event->payload.size();
      shown.events.emplace_back(read.session->id, *std::move(event));
    } else {
      CountUnshown(*read.session, event.status());
    }
  }
  const Hold hold(*this, *read.session);
  for (const SubscriptionPtr& subscription : read.waiting) {
    if (subscription->session == nullptr) continue;
    const ReaderPtr reader = subscription->reader;
    subscription->read_id = 0;
    --reader->reads;
    TakePage(subscription, shown);
    OneReadLess(*read.session);  // only now: the tail stays until everybody has had a look at it
    Proceed(*reader);
  }
}

void Hub::TakePage(const SubscriptionPtr& subscription, const ShownPage& shown) {
  Subscription& s = *subscription;
  const Page& page = shown.page;
  if (page.outcome == Page::Outcome::kUnavailable) return;  // Retry comes back
  const size_t queued = s.reader->socket->queued_bytes();
  if (page.outcome == Page::Outcome::kOutOfRange) {
    BeginAnew(s);
  } else if (queued > 0 && queued + shown.bytes > s.reader->pace.budget_bytes()) {
    // What came meanwhile took the room.
    if (!s.reader->pace.slow()) FallBehind(*s.reader);
  } else if (s.reads_fold) {
    TakeFold(s, shown);
  } else if (!TakeEvents(s, shown)) {
    return;
  }
  Advance(subscription);
}

// False: the page leads nowhere, and what is to come (Announced, Retry) asks again, not a tight
// circle.
bool Hub::TakeEvents(Subscription& s, const ShownPage& shown) {
  const Page& page = shown.page;
  const uint64_t before = s.at.sequence;
  if (s.at.epoch.empty()) s.at.epoch = page.top.epoch;
  s.is_known = true;
  if (s.phase == Phase::kOpening) Open(s, s.at);
  for (const HubEvent& event : shown.events) Deliver(s, event, CursorMove::Of::kEvent);
  s.at = {page.top.epoch, std::max(before, page.through)};
  if (s.session == nullptr || s.at.sequence > before) return true;
  return before >= page.top.sequence && s.session->live.has_value();
}

void Hub::TakeFold(Subscription& s, const ShownPage& shown) {
  const Page& page = shown.page;
  // The log began a new life in the middle of the fold.
  if (!s.begins_fold && s.at.epoch != page.top.epoch) return BeginAnew(s);
  if (s.fold_through == 0) s.fold_through = page.top.sequence;
  s.is_known = true;
  const bool is_last = page.through >= s.fold_through || page.events.empty();
  if (std::exchange(s.begins_fold, false)) {
    s.reads_fold = !page.events.empty();
    s.at = {page.top.epoch, s.reads_fold ? 0 : page.top.sequence};
    s.seen = s.at.sequence;
    Open(s, s.at);
  }
  for (const HubEvent& event : shown.events) {
    if (is_last && &event == &shown.events.back()) s.reads_fold = false;
    Deliver(s, event, CursorMove::Of::kFoldEvent);
  }
  s.at = {page.top.epoch, page.through};
  s.reads_fold = !is_last;
  s.fold_after = is_last ? 0 : page.through;
}

// What it has read is void: `resync` and the fold come instead.
void Hub::BeginAnew(Subscription& s) {
  if (s.session == nullptr) return;
  DropQueued(*s.reader, &s);
  s.entry_before = s.Entry();
  s.reads_fold = s.begins_fold = s.resync = true;
  s.fold_after = s.fold_through = 0;
}

// ---- what a socket is shown

void Hub::Tell(Subscription& s, std::string_view notice, std::string_view payload,
               const std::string& entry_before) {
  CursorMove move;
  move.session_id = s.session->id;
  move.entry = s.Entry();
  if (options_.broken_rule == BrokenRule::kCursorAtTopBeforeFold && s.session->live) {
    move.entry = EntryText(s.session->id, {Place::Kind::kAfter, *s.session->live});
  }
  move.entry_before = entry_before;
  Emit(*s.reader, socketio::EncodedEvent::FromJson(notice, payload, TagOf(std::move(move))));
}

// To whoever waits for `subscribed`.
void Hub::TellSubscribed(Subscription& s, const Position& from, std::string entry_before) {
  const std::string payload =
      SubscribedPayload(s.session->id, from, std::chrono::system_clock::now());
  for (Opened& opened : std::exchange(s.opened, {})) {
    if (options_.broken_rule == BrokenRule::kAckBeforeSubscribed) opened(from);
    Tell(s, "subscribed", payload, entry_before);
    if (s.session == nullptr) return;
    entry_before = s.Entry();
    if (options_.broken_rule != BrokenRule::kAckBeforeSubscribed) opened(from);
    if (s.session == nullptr) return;
  }
}

// Says where reading goes on from: `subscribed` to whoever waits for it, `resync` if what came
// before is void.
void Hub::Open(Subscription& s, const Position& from) {
  const bool is_answer = !s.opened.empty();
  const bool resyncs = std::exchange(s.resync, false);
  if (s.phase == Phase::kOpening) s.phase = Phase::kBehind;
  TellSubscribed(s, from, s.entry_before);
  if (s.session == nullptr || !resyncs) return;
  Tell(s, "resync", ResyncPayload(s.session->id, from, std::chrono::system_clock::now()),
       is_answer ? s.Entry() : s.entry_before);
}

void Hub::Deliver(Subscription& s, const HubEvent& shown, CursorMove::Of of) {
  const Position& position = shown.event.position;
  if (s.session == nullptr) return;  // its socket closed under us
  if (position.epoch == s.at.epoch && position.sequence <= s.seen) return;
  const Position before = {s.at.epoch, s.seen};
  const uint64_t skipped = position.sequence - s.seen - 1;
  skipped_ += skipped;
  s.at = position;
  s.seen = position.sequence;
  if (skipped == 0 && of == CursorMove::Of::kEvent) {
    Emit(*s.reader, shown.packet);
  } else {
    const auto kind = s.reads_fold ? Place::Kind::kFold : Place::Kind::kAfter;
    Emit(*s.reader,
         Encode(shown.event, skipped, TagOf(MoveOf(of, s.session->id, before, {kind, position}))));
  }
}

void Hub::Emit(Reader& reader, const socketio::EncodedEvent& event) {
  if (reader.queued) reader.queued(*static_cast<const CursorMove*>(event.tag().get()));
  reader.socket->Emit(event);
  if (reader.subscriptions.empty()) return;  // its socket closed under us, and is gone
  // How soon a slow socket drains says how much it is given.
  if (reader.pace.slow() && reader.pace.Queued(options_.now(), event.bytes())) {
    reader.socket->AwaitDrain(0);
  }
}

}  // namespace sessioncast::edge
