#include "control/broker.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/error_detail.h"
#include "control/random.h"
#include "proto/rules.h"
#include "spdlog/spdlog.h"

namespace sessioncast::control {
namespace {

// What a session costs beside its history.
constexpr size_t kSessionOverheadBytes = 1'024;
// A session may well be used again until so long after it was used.
constexpr absl::Duration kUnused = absl::Seconds(10);

void Run(Effects effects) {
  for (absl::AnyInvocable<void()>& effect : effects) effect();
}

absl::Status ValidateEnd(const ClarificationEnd& end) {
  if (absl::Status status = CheckId("session_id", end.session_id); !status.ok()) return status;
  if (absl::Status status = CheckId("clarification_id", end.clarification_id); !status.ok())
    return status;
  return ValidateResponse(end.response.value_or(""));
}

absl::Status ValidatePublication(const Publication& publication) {
  if (absl::Status status = Validate(publication.event); !status.ok()) return status;
  return ValidateIdempotencyKey(publication.idempotency_key);
}

absl::StatusOr<Published> ResultOf(const Answer& answer) {
  if (answer.outcome != Answer::Outcome::kRefused) {
    return Published{answer.position, answer.outcome == Answer::Outcome::kDuplicate};
  }
  if (answer.winner == nullptr) return answer.refusal;
  v1::ErrorDetail detail;
  *detail.mutable_winner() = EventOf(*answer.winner).clarification();
  return WithDetail(answer.refusal, detail);
}

// What was appended behind what the piece has.
void AddTo(StoreAppend& piece, Answer& answer) {
  if (piece.events.empty()) piece.after = std::move(answer.after);
  std::move(answer.appended.begin(), answer.appended.end(), std::back_inserter(piece.events));
  if (answer.fold.has_value()) piece.session.fold = std::move(answer.fold);
  std::vector<Deadline>& set = piece.deadlines_set;
  for (Deadline& cleared : answer.deadlines_cleared) {
    // The store clears before it sets.
    const auto found = std::find(set.begin(), set.end(), cleared);
    if (found == set.end()) {
      piece.deadlines_cleared.push_back(std::move(cleared));
    } else {
      set.erase(found);
    }
  }
  std::move(answer.deadlines_set.begin(), answer.deadlines_set.end(), std::back_inserter(set));
}

}  // namespace

Broker::Subscription::Subscription(Broker& broker, Shard& shard, Session& session,
                                   std::shared_ptr<Subscriber> subscriber)
    : broker_(broker), shard_(shard), session_(session), subscriber_(std::move(subscriber)) {
  broker_.subscriptions_.fetch_add(1, std::memory_order_relaxed);
}

Broker::Subscription::~Subscription() {
  broker_.Unsubscribe(shard_, session_, subscriber_);
  broker_.subscriptions_.fetch_sub(1, std::memory_order_relaxed);
}

LivePage Broker::Subscription::Next(size_t bytes_max) {
  absl::MutexLock lock(&shard_.mutex);
  LivePage live;
  if (!broker_.IsReady(session_)) return live;
  const History& history = session_.history;
  const Position top = history.top();
  if (!cursor_.has_value() || !history.Has(*cursor_) || !history.Holds(cursor_->sequence())) {
    live.announced = top;
    cursor_ = top;
    return live;
  }
  Page page = history.Read(cursor_->sequence(), PageLimits{.bytes_max = bytes_max});
  if (page.events.empty()) return live;
  live.events = std::move(page.events);
  live.more = page.through < top.sequence();
  cursor_ = top;
  cursor_->set_sequence(page.through);
  return live;
}

Broker::Broker(Store& store, BrokerOptions options)
    : store_(store),
      options_(std::move(options)),
      generation_(store.generation()),
      commit_queue_(store, options_.commit_queue, options_.start_loop),
      worker_pool_(options_.worker_pool, options_.start_loop),
      shards_([this] {
        std::vector<std::unique_ptr<Shard>> shards;
        for (size_t i = 0; i < options_.shards; ++i) shards.push_back(std::make_unique<Shard>());
        return shards;
      }()),
      deadlines_(
          store, options_.clock,
          [this](const Deadline& deadline, DeadlineThread::Acted acted) {
            Act(deadline, std::move(acted));
          },
          options_.deadlines, options_.start_loop) {}

// The deadlines' thread stops first, then the pool, then the queue: each waits for what those after
// it still do.
Broker::~Broker() {
  deadlines_.Stop();
  worker_pool_.Stop();
  commit_queue_.Stop();
}

Shard& Broker::ShardOf(const std::string& session_id) {
  return *shards_[std::hash<std::string>()(session_id) % shards_.size()];
}

Session& Broker::FindOrAdd(Shard& shard, const std::string& session_id) {
  std::unique_ptr<Session>& slot = shard.sessions[session_id];
  if (slot == nullptr) {
    slot = std::make_unique<Session>(session_id, options_.history);
    shard.by_use.push_front(slot.get());
    slot->use = shard.by_use.begin();
  }
  shard.by_use.splice(shard.by_use.begin(), shard.by_use, slot->use);
  slot->used = options_.clock();
  return *slot;
}

void Broker::With(const std::string& session_id, Session::Operation operation) {
  Effects effects;
  Shard& shard = ShardOf(session_id);
  {
    absl::MutexLock lock(&shard.mutex);
    Session& session = FindOrAdd(shard, session_id);
    if (IsReady(session)) {
      operation(&session, effects);
      Settled(shard, session);
    } else if (session.line.size() >= options_.operations_waiting_max) {
      operation(absl::ResourceExhaustedError(
                    "the session is being loaded, and too many wait for it; try again"),
                effects);
    } else {
      session.line.push_back(std::move(operation));
      // It may be gone after either.
      if (session.state == Session::State::kUnloaded) {
        StartLoad(shard, session, effects);
      } else if (session.state == Session::State::kReady) {
        LoadAnew(shard, session, effects);
      }
    }
  }
  ShedMemory();
  Run(std::move(effects));
}

void Broker::StartLoad(Shard& shard, Session& session, Effects& effects) {
  session.state = Session::State::kLoading;
  if (worker_pool_.Post([this, &shard, &session] { Load(shard, session); })) return;
  LoadFailed(shard, session,
             absl::ResourceExhaustedError("too many sessions are being loaded; try again"),
             effects);
}

void Broker::Load(Shard& shard, Session& session) {
  const uint64_t generation = store_.generation();
  History loaded(session.id, options_.history);
  const absl::Status status = store_.Load(
      session.id, [&loaded](const StoredSession& stored) { loaded.Restore(stored); },
      [&loaded](const StoredEventPtr& event) { loaded.Restore(event); });
  if (!status.ok()) spdlog::warn("session {} cannot be loaded: {}", session.id, status.ToString());
  Effects effects;
  {
    absl::MutexLock lock(&shard.mutex);
    if (status.ok()) {
      session.Loaded(std::move(loaded), generation, effects);
      Settled(shard, session);
    } else {
      LoadFailed(shard, session, ReadError(status), effects);
    }
  }
  ShedMemory();
  Run(std::move(effects));
}

void Broker::LoadFailed(Shard& shard, Session& session, const absl::Status& why, Effects& effects) {
  session.LoadFailed(why, effects);
  if (session.subscribers.empty()) {
    Erase(shard, session);
    return;
  }
  if (std::exchange(session.retry_waits, true)) return;
  deadlines_.Later([this, &shard, session_id = session.id] { RetryLoad(shard, session_id); });
}

void Broker::RetryLoad(Shard& shard, const std::string& session_id) {
  Effects effects;
  {
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.sessions.find(session_id);
    if (found == shard.sessions.end()) return;
    found->second->retry_waits = false;
    if (found->second->state == Session::State::kUnloaded)
      StartLoad(shard, *found->second, effects);
  }
  Run(std::move(effects));
}

void Broker::Append(const std::string& session_id, size_t bytes,
                    std::shared_ptr<PublishOrder> order, AppendTo append, Appended done) {
  const auto refuse = [&order, &done](const absl::Status& why) {
    if (order != nullptr) order->Refused(why);
    done(why);
  };
  if (const absl::Status writable = store_.CheckWritable(); !writable.ok()) return refuse(writable);
  absl::StatusOr<CommitQueue::Reservation> room = commit_queue_.Reserve(bytes);
  if (!room.ok()) return refuse(room.status());
  // The room is free before the caller knows, since it may publish again at once.
  auto answered = [done = std::move(done),
                   room = std::make_unique<CommitQueue::Reservation>(*std::move(room))](
                      absl::StatusOr<Outcomes> outcomes) mutable {
    room.reset();
    done(std::move(outcomes));
  };
  With(session_id,
       [this, order = std::move(order), append = std::move(append),
        answered = Appended(std::move(answered))](absl::StatusOr<Session*> session,
                                                  Effects& effects) mutable {
         if (order != nullptr && order->is_broken()) session = PublishOrder::Behind();
         if (!session.ok()) {
           if (order != nullptr) order->Refused(session.status());
           return Tell<Outcomes>(effects, std::move(answered), session.status());
         }
         const bool first = (*session)->history.assigned() == 0;
         const Stamp stamp{options_.clock(), first ? FreshEpoch() : std::string()};
         Settle(**session, append((*session)->history, stamp), std::move(order),
                std::move(answered), effects);
       });
}

void Broker::AppendOne(const std::string& session_id, size_t bytes,
                       absl::AnyInvocable<Answer(History&, const Stamp&)> append,
                       Done<Published> done) {
  Append(
      session_id, bytes, nullptr,
      [append = std::move(append)](History& history, const Stamp& stamp) mutable {
        return History::Answers{append(history, stamp)};
      },
      [done = std::move(done)](absl::StatusOr<Outcomes> outcomes) mutable {
        if (!outcomes.ok()) return done(outcomes.status());
        done(std::move(outcomes->front()));
      });
}

void Broker::Settle(Session& session, History::Answers answers,
                    std::shared_ptr<PublishOrder> order, Appended done, Effects& effects) {
  struct Waiting {
    absl::StatusOr<Published> outcome;
    uint64_t rests_on;
  };
  absl::InlinedVector<Waiting, 1> waiting;
  uint64_t rests_on = 0;
  bool appends = false;
  for (const Answer& answer : answers) {
    waiting.push_back({ResultOf(answer), answer.rests_on});
    rests_on = std::max(rests_on, answer.rests_on);
    appends |= !answer.appended.empty();
  }
  if (appends) Commit(session, absl::MakeSpan(answers), nullptr);
  session.WaitFor(
      rests_on,
      [done = std::move(done), waiting = std::move(waiting)](const absl::Status& durable,
                                                             uint64_t through) mutable {
        Outcomes outcomes;
        for (Waiting& one : waiting) {
          if (one.rests_on > through) one.outcome = durable;
          outcomes.push_back(std::move(one.outcome));
        }
        done(std::move(outcomes));
      },
      std::move(order), effects);
}

void Broker::Commit(Session& session, absl::Span<Answer> answers, DeadlineThread::Acted acted) {
  auto append = std::make_shared<StoreAppend>();
  append->session_id = session.id;
  append->chain = session.chain;
  append->session = session.history.AssignedSession();
  for (Answer& answer : answers) AddTo(*append, answer);
  Push(session, std::move(append), std::move(acted));
}

void Broker::Push(Session& session, StoreAppendPtr append, DeadlineThread::Acted acted) {
  ++session.appends_in_flight;
  Shard& shard = ShardOf(session.id);
  commit_queue_.Push(append, [this, &shard, &session, append,
                              acted = std::move(acted)](const AppendOutcome& outcome) mutable {
    Committed(shard, session, *append, outcome);
    if (acted != nullptr) acted(outcome.status);
  });
}

void Broker::Committed(Shard& shard, Session& session, const StoreAppend& append,
                       const AppendOutcome& outcome) {
  if (!outcome.status.ok())
    spdlog::warn("session {}: an append failed: {}", append.session_id, outcome.status.ToString());
  Effects effects;
  {
    absl::MutexLock lock(&shard.mutex);
    const uint64_t after = append.after.sequence();
    if (outcome.status.ok()) {
      events_appended_.fetch_add(append.events.size(), std::memory_order_relaxed);
      session.AppendStored(after + append.events.size(), effects);
    } else {
      session.AppendFailed(after + 1, outcome.status, effects);
      if (absl::IsUnavailable(outcome.status)) LookAgainLater(shard, session.id);
    }
    if (session.state == Session::State::kFailed && session.appends_in_flight == 0) {
      StartLoad(shard, session, effects);
    } else {
      Settled(shard, session);
    }
  }
  for (const Deadline& deadline : append.deadlines_set) deadlines_.Notify(deadline.time);
  ShedMemory();
  Run(std::move(effects));
}

void Broker::LookAgainLater(Shard& shard, const std::string& session_id) {
  if (!shard.look_again.insert(session_id).second) return;
  deadlines_.Later([this, &shard, session_id] { LookAgain(shard, session_id); });
}

void Broker::LookAgain(Shard& shard, const std::string& session_id) {
  Effects effects;
  {
    absl::MutexLock lock(&shard.mutex);
    shard.look_again.erase(session_id);
    if (!store_.CheckWritable().ok()) return LookAgainLater(shard, session_id);
    const auto found = shard.sessions.find(session_id);
    if (found != shard.sessions.end()) {
      Session& session = *found->second;
      // A load that is under way may have begun before.
      if (session.state == Session::State::kLoading) LookAgainLater(shard, session_id);
      // An append that is under way finds out by itself.
      if (session.state == Session::State::kReady && session.appends_in_flight == 0)
        StartLoad(shard, session, effects);
    }
  }
  deadlines_.Notify(options_.clock());  // those of what shows now may have passed
  Run(std::move(effects));
  const uint64_t generation = store_.generation();
  if (generation_.exchange(generation) != generation) LoadAllAnew();
}

void Broker::LoadAnew(Shard& shard, Session& session, Effects& effects) {
  if (session.appends_in_flight == 0) return StartLoad(shard, session, effects);
  // It is loaded once they have come back.
  session.Fail(session.history.top().sequence() + 1,
               absl::UnavailableError("the store came back short"), effects);
}

void Broker::LoadAllAnew() {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    Effects effects;
    {
      absl::MutexLock lock(&shard->mutex);
      std::vector<Session*> sessions(shard->by_use.begin(), shard->by_use.end());
      for (Session* session : sessions) {
        if (session->state == Session::State::kReady && !IsReady(*session))
          LoadAnew(*shard, *session, effects);
      }
    }
    Run(std::move(effects));
  }
}

void Broker::Settled(Shard& shard, Session& session) {
  if (session.state == Session::State::kReady && session.history.assigned() == 0 &&
      session.IsIdle()) {
    Erase(shard, session);
    return;
  }
  Count(session);
  // The sweep found nothing but what was in use: what is idle since leaves by itself.
  if (shed_from_bytes_ > 0 && HasTooMuch() && session.IsIdle()) Erase(shard, session);
}

// Outside of locks, after each use that may have cost memory. One thread sheds at a time; one that
// comes meanwhile leaves its part to that one, which looks again. It sheds some more than it has
// to, since it looks through sessions to find what may go.
void Broker::ShedMemory() {
  const size_t spare = options_.histories_bytes_max / 64;
  const size_t goal = options_.histories_bytes_max - spare;
  while (HasTooMuch() && histories_bytes_ >= shed_from_bytes_ && !shedding_.exchange(true)) {
    for (const Shed what : {Shed::kUnusedSessions, Shed::kWindows, Shed::kIdleSessions}) {
      while (BytesAbove(goal) > 0 && ShedFromAllShards(what, goal) > 0) {
      }
    }
    // If all the rest is in use, it is not looked through again for each event.
    shed_from_bytes_ = HasTooMuch() ? histories_bytes_ + spare : 0;
    shedding_ = false;
  }
}

size_t Broker::BytesAbove(size_t goal_bytes) const {
  const size_t bytes = histories_bytes_;
  return bytes > goal_bytes ? bytes - goal_bytes : 0;
}

size_t Broker::ShedFromAllShards(Shed what, size_t goal_bytes) {
  // Each gives its part, so that of all sessions about the least recently used leave.
  const size_t part = BytesAbove(goal_bytes) / shards_.size() + 1;
  size_t bytes = 0;
  for (size_t i = 0; i < shards_.size() && BytesAbove(goal_bytes) > 0; ++i) {
    Shard& shard = *shards_[shed_next_shard_++ % shards_.size()];
    absl::MutexLock lock(&shard.mutex);
    bytes += ShedFrom(shard, what, part);
  }
  return bytes;
}

size_t Broker::ShedFrom(Shard& shard, Shed what, size_t bytes_wanted) {
  const absl::Time unused_since = options_.clock() - kUnused;
  size_t bytes = 0;
  for (auto at = shard.by_use.end(); at != shard.by_use.begin() && bytes < bytes_wanted;) {
    Session& session = **--at;
    if (what == Shed::kUnusedSessions && session.used > unused_since) break;
    const size_t before = session.bytes_counted;
    if (what != Shed::kWindows && session.IsIdle()) {
      ++at;  // stays where it is
      Erase(shard, session);
      bytes += before;
    } else if (what == Shed::kWindows && session.state == Session::State::kReady) {
      session.history.ForgetWindow();
      Count(session);
      bytes += before - std::min(before, session.bytes_counted);
    }
  }
  return bytes;
}

void Broker::Count(Session& session) {
  const size_t bytes = session.history.bytes_held() + kSessionOverheadBytes;
  histories_bytes_ += bytes - session.bytes_counted;
  session.bytes_counted = bytes;
}

void Broker::Erase(Shard& shard, Session& session) {
  histories_bytes_ -= session.bytes_counted;
  shard.by_use.erase(session.use);
  const std::string id = session.id;
  shard.sessions.erase(id);
}

void Broker::Publish(v1::Event event, std::string idempotency_key, Done<Published> done) {
  const std::string session_id = event.session_id();
  std::vector<Publication> one;
  one.push_back({std::move(event), std::move(idempotency_key)});
  PublishAll(session_id, std::move(one), nullptr,
             [done = std::move(done)](Outcomes outcomes) mutable {
               done(std::move(outcomes.front()));
             });
}

void Broker::PublishAll(const std::string& session_id, std::vector<Publication> publications,
                        std::shared_ptr<PublishOrder> order, AllDone done) {
  Outcomes outcomes;  // of what is refused here; the others have a place in it
  std::vector<Publication> valid;
  size_t bytes = 0;
  for (Publication& publication : publications) {
    if (absl::Status status = ValidatePublication(publication); !status.ok()) {
      outcomes.push_back(std::move(status));
      continue;
    }
    outcomes.push_back(Published());
    bytes += publication.event.ByteSizeLong();
    valid.push_back(std::move(publication));
  }
  if (valid.empty()) return done(std::move(outcomes));
  Append(
      session_id, bytes, std::move(order),
      [valid = std::move(valid)](History& history, const Stamp& stamp) mutable {
        return history.AppendAll(std::move(valid), stamp);
      },
      [done = std::move(done), outcomes = std::move(outcomes)](
          absl::StatusOr<Outcomes> appended) mutable {
        size_t next = 0;
        for (absl::StatusOr<Published>& outcome : outcomes) {
          if (outcome.ok()) {
            outcome = appended.ok() ? std::move((*appended)[next++]) : appended.status();
          }
        }
        done(std::move(outcomes));
      });
}

void Broker::Ask(v1::Event event, Done<Published> done) {
  if (absl::Status status = Validate(event); !status.ok()) return done(std::move(status));
  const std::string session_id = event.session_id();
  const size_t bytes = event.ByteSizeLong();
  AppendOne(
      session_id, bytes,
      [event = std::move(event)](History& history, const Stamp& stamp) mutable {
        return history.Ask(std::move(event), stamp);
      },
      std::move(done));
}

void Broker::EndClarification(ClarificationEnd end, Done<Published> done) {
  if (absl::Status status = ValidateEnd(end); !status.ok()) return done(std::move(status));
  const std::string session_id = end.session_id;
  const size_t bytes = end.response.value_or("").size();
  AppendOne(
      session_id, bytes,
      [end = std::move(end)](History& history, const Stamp& stamp) {
        return history.EndClarification(end, stamp);
      },
      std::move(done));
}

}  // namespace sessioncast::control
