// The broker's readers: pages, folds, snapshots, lists, subscriptions.
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/broker.h"

namespace sessioncast::control {
namespace {

ReadPage FoldPage(const History& history, const FoldRequest& request) {
  ReadPage page;
  page.top = history.top();
  // What is published behind `through` is read as events: none of them may have been trimmed.
  if (request.through.has_value() && !history.Has(*request.through)) {
    page.outcome = ReadPage::Outcome::kOutOfRange;
    return page;
  }
  page.through = request.through.value_or(page.top).sequence();
  size_t bytes = 0;
  for (const StoredEventPtr& event : history.fold().Events(request.after_sequence)) {
    if (event->sequence > page.through) break;
    if (!page.events.empty() && bytes + event->bytes.size() > request.bytes_max) {
      page.through = page.events.back()->sequence;
      break;
    }
    bytes += event->bytes.size();
    page.events.push_back(event);
  }
  page.ended = history.ended() && page.through == page.top.sequence();
  return page;
}

}  // namespace

void Broker::Read(ReadRequest request, Done<ReadPage> done) {
  const std::string session_id = request.session_id;
  With(session_id, [this, request = std::move(request), done = std::move(done)](
                       absl::StatusOr<Session*> session, Effects& effects) mutable {
    if (!session.ok()) return Tell<ReadPage>(effects, std::move(done), session.status());
    const History& history = (*session)->history;
    ReadPage page;
    page.top = history.top();
    page.ended = history.ended();
    if (!history.Has(request.after)) {
      page.outcome = ReadPage::Outcome::kOutOfRange;
      return Tell<ReadPage>(effects, std::move(done), std::move(page));
    }
    if (!history.Holds(request.after.sequence())) {
      return ReadCold(std::move(request), std::move(page), std::move(done), effects);
    }
    Page read = history.Read(request.after.sequence(), request.limits);
    page.through = read.through;
    page.events = std::move(read.events);
    page.ended = page.ended && page.through == page.top.sequence();
    Tell<ReadPage>(effects, std::move(done), std::move(page));
  });
}

void Broker::ReadCold(ReadRequest request, ReadPage page, Done<ReadPage> done, Effects& effects) {
  const absl::Status refused = absl::ResourceExhaustedError(absl::StrCat(
      "reads from the store: at most ", options_.cold_reads_max, " at once; try again later"));
  if (cold_reads_.fetch_add(1) >= options_.cold_reads_max) {
    cold_reads_.fetch_sub(1);
    return Tell<ReadPage>(effects, std::move(done), refused);
  }
  auto shared_done = std::make_shared<Done<ReadPage>>(std::move(done));
  const bool posted = worker_pool_.Post([this, request = std::move(request), page = std::move(page),
                                         shared_done]() mutable {
    Pager pager(request.after.sequence(), request.limits);
    const StoreRange range{request.session_id, page.top.epoch(), request.after.sequence(),
                           page.top.sequence()};
    const absl::Status status =
        store_.ReadRange(range, [&pager](const StoredEventPtr& event) { return pager.Add(event); });
    cold_reads_.fetch_sub(1);
    if (absl::IsOutOfRange(status)) {  // a trim, or its deletion, came in between
      page.outcome = ReadPage::Outcome::kOutOfRange;
      return (*shared_done)(std::move(page));
    }
    if (!status.ok()) return (*shared_done)(ReadError(status));
    Page read = pager.Take();
    page.through = read.through;
    page.events = std::move(read.events);
    page.ended = page.ended && page.through == page.top.sequence();
    (*shared_done)(std::move(page));
  });
  if (posted) return;
  cold_reads_.fetch_sub(1);
  Tell<ReadPage>(effects, std::move(*shared_done), refused);
}

void Broker::ReadFold(const FoldRequest& request, Done<ReadPage> done) {
  With(request.session_id, [request, done = std::move(done)](absl::StatusOr<Session*> session,
                                                             Effects& effects) mutable {
    if (!session.ok()) return Tell<ReadPage>(effects, std::move(done), session.status());
    Tell<ReadPage>(effects, std::move(done), FoldPage((*session)->history, request));
  });
}

void Broker::GetSnapshot(const std::string& session_id, Done<SnapshotView> done) {
  With(session_id, [done = std::move(done)](absl::StatusOr<Session*> session,
                                            Effects& effects) mutable {
    if (!session.ok()) return Tell<SnapshotView>(effects, std::move(done), session.status());
    if ((*session)->history.top().sequence() == 0) {
      return Tell<SnapshotView>(effects, std::move(done),
                                absl::NotFoundError(absl::StrCat(
                                    "session_id: there is no session '", (*session)->id, "'")));
    }
    Tell<SnapshotView>(effects, std::move(done), (*session)->history.Snapshot());
  });
}

void Broker::FindClarification(const std::string& session_id, const std::string& clarification_id,
                               Done<StoredEventPtr> done) {
  With(session_id, [clarification_id, done = std::move(done)](absl::StatusOr<Session*> session,
                                                              Effects& effects) mutable {
    if (!session.ok()) return Tell<StoredEventPtr>(effects, std::move(done), session.status());
    StoredEventPtr found = (*session)->history.fold().Clarification(clarification_id);
    if (found == nullptr) {
      return Tell<StoredEventPtr>(
          effects, std::move(done),
          absl::NotFoundError(absl::StrCat("clarification_id: session '", (*session)->id,
                                           "' has no clarification '", clarification_id, "'")));
    }
    Tell<StoredEventPtr>(effects, std::move(done), std::move(found));
  });
}

void Broker::ListSessions(const std::string& after_session_id, size_t sessions_max,
                          Done<std::vector<v1::SessionSummary>> done) {
  auto shared_done = std::make_shared<Done<std::vector<v1::SessionSummary>>>(std::move(done));
  const bool posted = worker_pool_.Post([this, after_session_id, sessions_max, shared_done] {
    (*shared_done)(store_.ListSessions(after_session_id, sessions_max));
  });
  if (!posted)
    (*shared_done)(absl::ResourceExhaustedError("too many reads from the store; try again later"));
}

BrokerCounts Broker::counts() const {
  BrokerCounts counts;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    const absl::MutexLock lock(&shard->mutex);
    counts.sessions += shard->sessions.size();
  }
  counts.histories_bytes = histories_bytes_;
  counts.subscriptions = subscriptions_.load(std::memory_order_relaxed);
  counts.in_flight_bytes = commit_queue_.in_flight_bytes();
  counts.events_appended = events_appended_.load(std::memory_order_relaxed);
  return counts;
}

std::unique_ptr<Broker::Subscription> Broker::Subscribe(const std::string& session_id,
                                                        std::function<void()> wake) {
  auto subscriber = std::make_shared<Subscriber>(Subscriber{std::move(wake)});
  Effects effects;
  Shard& shard = ShardOf(session_id);
  absl::MutexLock lock(&shard.mutex);
  Session& session = FindOrAdd(shard, session_id);
  session.subscribers.insert(subscriber);
  if (session.state == Session::State::kUnloaded) StartLoad(shard, session, effects);
  assert(effects.empty());  // nobody stands in the line of a session that nobody has asked for
  return std::unique_ptr<Subscription>(
      new Subscription(*this, shard, session, std::move(subscriber)));
}

void Broker::Unsubscribe(Shard& shard, Session& session,
                         const std::shared_ptr<Subscriber>& subscriber) {
  absl::MutexLock lock(&shard.mutex);
  session.subscribers.erase(subscriber);
  Settled(shard, session);
}

}  // namespace sessioncast::control
