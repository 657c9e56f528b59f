#include "tests/simulation/reader.h"

#include <algorithm>
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
      fold_after_ = 0;
      fold_through_.reset();
      step_ = Step::kLive;
      return;
    }
    case Step::kLive:
      if (wants_fold_) return ReadFold(broker);
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

void Reader::ReadFold(control::Broker& broker) {
  step_ = Step::kFold;
  control::FoldRequest request{.session_id = session_id_, .after_sequence = fold_after_};
  request.through = fold_through_;
  request.bytes_max = 1 + scheduler_.Pick(600);
  broker.ReadFold(request, Then(&Reader::OnFold));
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
  if (page.ended != at_end) Violate("a page that is wrong about the session's end");
}

void Reader::OnFold(const absl::StatusOr<control::ReadPage>& page) {
  step_ = Step::kLive;
  if (!page.ok()) {
    if (!absl::IsUnavailable(page.status()) && !absl::IsResourceExhausted(page.status()))
      Violate(absl::StrCat("a fold: ", page.status().ToString()));
    return;
  }
  const bool is_first = !fold_through_.has_value();
  if (!is_first && page->top.epoch() != fold_through_->epoch()) fold_after_ = 0;  // anew
  if (page->outcome == control::ReadPage::Outcome::kOutOfRange) {
    if (is_first) Violate("the first piece of a fold is out of range");
    fold_after_ = 0;
    return fold_through_.reset();
  }
  if (is_first) fold_through_ = page->top;
  CheckFold(*page);
  fold_after_ = page->through;
  if (page->through < fold_through_->sequence()) return;
  wants_fold_ = false;
  fold_after_ = 0;
  MoveTo(*fold_through_, fold_through_->sequence());
  fold_through_.reset();
}

void Reader::CheckFold(const control::ReadPage& page) {
  const NaiveLife* life = LifeOf(page.top.epoch());
  if (life == nullptr) {
    if (page.top.sequence() > 0) Violate("a fold of a life that nobody lived");
    return;
  }
  const uint64_t through = fold_through_->sequence();
  if (page.top.sequence() > life->top() || through > page.top.sequence())
    return Violate("a fold whose top is not durable");
  std::vector<uint64_t> due;
  for (const uint64_t sequence : life->Fold(page.top.sequence())) {
    if (sequence > fold_after_ && sequence <= through) due.push_back(sequence);
  }
  std::vector<uint64_t> sequences;
  for (const control::StoredEventPtr& event : page.events) {
    CheckEvent(*event);
    sequences.push_back(event->sequence);
  }
  seen_ += sequences.size();
  const bool is_last = page.through >= through;
  if (!is_last &&
      (sequences.empty() || sequences.back() != page.through || sequences.size() >= due.size()))
    return Violate("a piece of a fold that ends too early");
  due.resize(std::min(due.size(), is_last ? due.size() : sequences.size()));
  if (sequences != due || page.through > through)
    Violate(absl::StrCat("a piece of the fold at ", through, " is another"));
  const bool at_end = page.through == life->top() && life->Ended();
  if (page.ended != at_end) Violate("a fold that is wrong about the session's end");
}

void Reader::LookAround(control::Broker& broker) {
  if (scheduler_.Chance(50)) return LookForClarification(broker);
  broker.GetSnapshot(session_id_, [ear = ear_, epoch = position_.epoch()](
                                      const absl::StatusOr<control::SnapshotView>& snapshot) {
    if (ear == nullptr || ear->reader == nullptr) return;
    if (absl::IsNotFound(snapshot.status())) return ear->reader->CheckNotFound("session", epoch);
    ear->reader->CheckSnapshot(snapshot);
  });
}

void Reader::LookForClarification(control::Broker& broker) {
  const NaiveLife& life = log_.Current(session_id_);
  const std::string id = absl::StrCat("c", scheduler_.Pick(4));
  // Whether it has seen it.
  const bool is_here = life.epoch == position_.epoch();
  const auto seen = life.Clarifications(is_here ? position_.sequence() : 0);
  const std::string epoch = seen.count(id) > 0 ? life.epoch : "";
  broker.FindClarification(
      session_id_, id,
      [ear = ear_, id, epoch](const absl::StatusOr<control::StoredEventPtr>& found) {
        if (ear == nullptr || ear->reader == nullptr) return;
        if (absl::IsNotFound(found.status())) return ear->reader->CheckNotFound(id, epoch);
        if (!found.ok()) return;
        ear->reader->CheckEvent(**found);
        if (control::EventOf(**found).clarification().clarification_id() != id)
          ear->reader->Violate(absl::StrCat("asks for clarification ", id, " and gets another"));
      });
}

void Reader::CheckNotFound(const std::string& what, const std::string& epoch_then) {
  if (epoch_then.empty() || log_.BrokerIsBehind(session_id_)) return;
  if (epoch_then == log_.Current(session_id_).epoch) Violate(what + " is not found");
}

void Reader::CheckSnapshot(const absl::StatusOr<control::SnapshotView>& snapshot) {
  if (absl::IsUnavailable(snapshot.status()) || absl::IsResourceExhausted(snapshot.status()))
    return;
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
