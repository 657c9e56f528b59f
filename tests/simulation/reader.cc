#include "tests/simulation/reader.h"

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sessioncast::test {
namespace {

bool SamePosition(const v1::Position& a, const v1::Position& b) {
  return a.epoch() == b.epoch() && a.sequence() == b.sequence();
}

v1::Position PositionOf(const control::StoredEvent& event) {
  v1::Position position;
  position.set_epoch(event.epoch);
  position.set_sequence(event.sequence);
  return position;
}

}  // namespace

void Reader::Violate(const std::string& text) const {
  violations_.Add(absl::StrCat("a reader of session ", session_id_, ", at ", position_.epoch(), ":",
                               position_.sequence(), ": ", text));
}

template <typename T>
control::Broker::Done<T> Reader::Then(void (Reader::*step)(const absl::StatusOr<T>&)) {
  return [ear = ear_, step](const absl::StatusOr<T>& result) {
    if (ear->reader != nullptr) (ear->reader->*step)(result);
  };
}

void Reader::Act(control::Broker& broker) {
  switch (step_) {
    case Step::kAway: {
      ear_ = std::make_shared<Ear>();
      ear_->reader = this;
      subscription_ = broker.Subscribe(session_id_, [ear = ear_] { ear->woken = true; });
      ear_->woken = true;
      behind_.reset();
      wants_fold_ = scheduler_.Chance(30);
      step_ = Step::kLive;
      return;
    }
    case Step::kLive:
      if (std::exchange(wants_fold_, false)) {
        step_ = Step::kFold;
        return broker.ReadFold({.session_id = session_id_}, Then(&Reader::OnFold));
      }
      if (behind_.has_value()) {
        step_ = Step::kReading;
        control::ReadRequest request{session_id_, position_, {}};
        request.limits.bytes_max = 1 + scheduler_.Pick(1'000);
        request.limits.events_scanned_max = 1 + scheduler_.Pick(20);
        request.limits.reading = reading_;
        return broker.Read(std::move(request), Then(&Reader::OnPage));
      }
      return Next();
    case Step::kReading:
    case Step::kFold:
      return;
  }
}

void Reader::Next() {
  if (!ear_->woken) return;
  ear_->woken = false;
  while (!violations_.any()) {
    const control::LivePage page = subscription_->Next(1 + scheduler_.Pick(1'000));
    if (page.announced.has_value()) {
      if (!SamePosition(*page.announced, position_)) {
        behind_ = page.announced;
        ear_->woken = true;  // there may be more, once it has read what is before that
        return;
      }
    }
    for (const control::StoredEventPtr& event : page.events) {
      // It read beyond what had been announced.
      if (event->epoch == position_.epoch() && event->sequence <= position_.sequence()) continue;
      // The session was deleted, and has begun anew: what it has is out of range.
      if (!position_.epoch().empty() && event->epoch != position_.epoch()) {
        behind_ = PositionOf(*event);
        ear_->woken = true;
        return;
      }
      See(*event);
    }
    if (!page.announced.has_value() && page.events.empty()) return;
  }
}

void Reader::OnPage(const absl::StatusOr<control::ReadPage>& page) {
  step_ = Step::kLive;
  if (!page.ok()) {
    if (!absl::IsUnavailable(page.status()) && !absl::IsResourceExhausted(page.status()))
      Violate(absl::StrCat("a page: ", page.status().ToString()));
    return;
  }
  const NaiveLife* life = LifeOf(page->top.epoch());
  if (page->outcome == control::ReadPage::Outcome::kOutOfRange) {
    const bool from_start = position_.epoch().empty();
    const bool lives = life != nullptr && life == &log_.Current(session_id_);
    if (lives && (from_start || life->epoch == position_.epoch()) &&
        position_.sequence() <= page->top.sequence() && position_.sequence() + 1 >= life->first)
      Violate("out of range, and it is not");
    wants_fold_ = true;
    return;
  }
  if (!position_.epoch().empty() && position_.epoch() != page->top.epoch())
    return Violate("a page of another epoch");
  if (life == nullptr) {
    if (page->top.sequence() > 0) Violate("a page of a life that nobody lived");
    return behind_.reset();
  }
  CheckPage(*page, *life);
  MoveTo(page->top, page->through);
}

void Reader::MoveTo(const v1::Position& top, uint64_t sequence) {
  position_ = top;
  position_.set_sequence(sequence);
  // Another epoch than was announced: that one has ended, and the next look says so.
  if (!behind_.has_value() || behind_->epoch() != position_.epoch() ||
      behind_->sequence() <= position_.sequence())
    behind_.reset();
}

void Reader::CheckPage(const control::ReadPage& page, const NaiveLife& life) {
  if (page.top.sequence() > life.top()) return Violate("a page whose top is not durable");
  if (page.through > page.top.sequence()) return Violate("a page that is through beyond the top");
  if (page.through <= position_.sequence() && position_.sequence() < page.top.sequence())
    return Violate("a page in which nothing comes, and something should");
  std::set<uint64_t> there;
  for (const control::StoredEventPtr& event : page.events) {
    CheckEvent(*event);
    if (!there.empty() && event->sequence <= *there.rbegin()) Violate("a page out of order");
    there.insert(event->sequence);
  }
  seen_ += there.size();
  for (uint64_t sequence = position_.sequence() + 1; sequence <= page.through; ++sequence) {
    const bool is_due =
        reading_ == control::Reading::kWhole || !life.IsSuperseded(sequence, page.through);
    if (is_due != (there.count(sequence) > 0))
      Violate(absl::StrCat("a page ", is_due ? "without" : "with", " sequence ", sequence));
    there.erase(sequence);
  }
  if (!there.empty()) Violate("a page with events that are not behind its beginning");
  const bool at_end = page.through == life.top() && life.Ended();
  if (page.ended && !at_end) Violate("a page that ends the session before its end");
}

void Reader::OnFold(const absl::StatusOr<control::ReadPage>& page) {
  step_ = Step::kLive;
  if (!page.ok()) {
    wants_fold_ = true;
    if (!absl::IsUnavailable(page.status()) && !absl::IsResourceExhausted(page.status()))
      Violate(absl::StrCat("a fold: ", page.status().ToString()));
    return;
  }
  CheckFold(*page);
  MoveTo(page->top, page->top.sequence());
}

void Reader::CheckFold(const control::ReadPage& page) {
  const NaiveLife* life = LifeOf(page.top.epoch());
  if (life == nullptr) {
    if (page.top.sequence() > 0) Violate("a fold of a life that nobody lived");
    return;
  }
  if (page.top.sequence() > life->top()) return Violate("a fold whose top is not durable");
  std::vector<uint64_t> sequences;
  for (const control::StoredEventPtr& event : page.events) {
    CheckEvent(*event);
    sequences.push_back(event->sequence);
  }
  if (sequences != life->Fold(page.top.sequence()))
    Violate(absl::StrCat("the fold at ", page.top.sequence(), " is another"));
  seen_ += sequences.size();
}

void Reader::LookAround(control::Broker& broker) {
  if (ear_ == nullptr) return;
  broker.GetSnapshot(session_id_, Then(&Reader::CheckSnapshot));
}

void Reader::CheckSnapshot(const absl::StatusOr<control::SnapshotView>& snapshot) {
  if (absl::IsUnavailable(snapshot.status()) || absl::IsResourceExhausted(snapshot.status()))
    return;
  if (absl::IsNotFound(snapshot.status())) return;
  if (!snapshot.ok()) return Violate(absl::StrCat("a snapshot: ", snapshot.status().ToString()));
  const v1::Position& top = snapshot->summary.position();
  const NaiveLife* life = LifeOf(top.epoch());
  if (life == nullptr || top.sequence() > life->top())
    return Violate("a snapshot that is not durable");
  std::vector<uint64_t> sequences;
  for (const control::StoredEventPtr& event : snapshot->events)
    sequences.push_back(event->sequence);
  if (sequences != life->Fold(top.sequence()))
    Violate(absl::StrCat("the snapshot at ", top.sequence(), " is another"));
}

void Reader::See(const control::StoredEvent& event) {
  CheckEvent(event);
  if (event.sequence != position_.sequence() + 1)
    return Violate(absl::StrCat("sequence ", event.sequence, " comes next"));
  position_ = PositionOf(event);
  ++seen_;
}

void Reader::CheckEvent(const control::StoredEvent& event) {
  const NaiveEvent* stored = log_.Find(session_id_, PositionOf(event));
  if (stored == nullptr)
    return Violate(absl::StrCat("sees sequence ", event.sequence, ", which is not durable"));
  if (stored->event.SerializeAsString() != event.bytes)
    Violate(absl::StrCat("sees another event at sequence ", event.sequence));
}

const NaiveLife* Reader::LifeOf(const std::string& epoch) const {
  const auto found = log_.lives().find(session_id_);
  if (found == log_.lives().end() || epoch.empty()) return nullptr;
  for (const NaiveLife& life : found->second) {
    if (life.epoch == epoch) return &life;
  }
  return nullptr;
}

void Reader::Disconnect() {
  if (ear_ != nullptr) ear_->reader = nullptr;
  ear_.reset();
  subscription_.reset();
  step_ = Step::kAway;
}

void Reader::CheckAtTop() const {
  const NaiveLife& life = log_.Current(session_id_);
  const bool at_top = life.events.empty() || SamePosition(position_, life.TopPosition());
  if (!at_top) Violate(absl::StrCat("it does not come to the top, which is ", life.top()));
}

}  // namespace sessioncast::test
