// Orders, remembers and hands out events: publish, read, subscribe, clarifications, deadlines.
//
// Threads: every method from any thread; none blocks on I/O. A callback runs outside all locks, on
// the caller's thread or one of the broker's, exactly once, and may call the broker again; it must
// not block. Invariants: readers see durable events only; the order in which a session's publishes
// are accepted is the order in which they are called; everything that waits is bounded, and refused
// with RESOURCE_EXHAUSTED past the bound. Sessions are in shards, each with a mutex; they are
// loaded when first used, and leave memory when they are idle and the histories together pass their
// bound.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "control/clock.h"
#include "control/commit_queue.h"
#include "control/deadline_thread.h"
#include "control/history.h"
#include "control/loop.h"
#include "control/position.h"
#include "control/publish_order.h"
#include "control/session.h"
#include "control/store.h"
#include "control/worker_pool.h"

namespace sessioncast::control {

struct BrokerOptions {
  HistoryOptions history;
  CommitQueueOptions commit_queue;
  WorkerPoolOptions worker_pool;
  DeadlineThreadOptions deadlines;
  // All histories in memory together.
  size_t histories_bytes_max = 256 * 1024 * 1024;
  // What may wait for one session to be loaded, and what may be read from the store at once.
  size_t operations_waiting_max = 10'000;
  size_t cold_reads_max = 1'024;
  size_t shards = 64;
  Clock clock = SteadyWallClock(absl::Now());
  StartLoop start_loop = StartThread;
};

struct Published {
  Position position;
  // The key, or the question, had been seen.
  bool duplicate = false;
};

struct ReadRequest {
  std::string session_id;
  // {"", 0}: from sequence 1.
  Position after;
  PageLimits limits;
};

// What to read of a fold.
struct FoldRequest {
  std::string session_id;
  uint64_t after_sequence = 0;
  // The top of its first piece; nothing: this is the first.
  std::optional<Position> through = std::nullopt;
  size_t bytes_max = 256 * 1024;  // one event always fits
};

struct ReadPage {
  enum class Outcome { kPage, kOutOfRange };
  Outcome outcome = Outcome::kPage;
  Position top;
  // Up to where the page covers the log.
  uint64_t through = 0;
  std::vector<StoredEventPtr> events;
  // Nothing comes behind this page.
  bool ended = false;
};

// What a live reader gets at one time.
struct LivePage {
  // Live reading begins, or was interrupted: events follow from behind here.
  std::optional<Position> announced;
  std::vector<StoredEventPtr> events;
  // There may be more at once.
  bool more = false;
};

// What a broker has to do with at the moment.
struct BrokerCounts {
  size_t sessions = 0;         // in memory
  size_t histories_bytes = 0;  // of them, about
  size_t subscriptions = 0;
  size_t in_flight_bytes = 0;    // publishes that are not answered yet
  uint64_t events_appended = 0;  // durable, since the start
};

class Broker {
 public:
  // One reader's standing interest in a session, with a cursor of its own. Not thread-safe; ends
  // with the object, but a wake that is under way may still come.
  class Subscription {
   public:
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    // What is new since the last call, from memory; {} while the session is being loaded.
    LivePage Next(size_t bytes_max);

   private:
    friend class Broker;
    Subscription(Broker& broker, Shard& shard, Session& session,
                 std::shared_ptr<Subscriber> subscriber);

    Broker& broker_;
    Shard& shard_;
    Session& session_;
    std::shared_ptr<Subscriber> subscriber_;
    std::optional<Position> cursor_;
  };

  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;
  using Outcomes = absl::InlinedVector<absl::StatusOr<Published>, 1>;
  using AllDone = absl::AnyInvocable<void(Outcomes)>;

  Broker(Store& store, BrokerOptions options);
  // What was accepted is answered first. Subscriptions end before.
  ~Broker();

  // Appends one event; done when it is durable. UNAVAILABLE: it may be stored, or not.
  void Publish(v1::Event event, std::string idempotency_key, Done<Published> done);
  // Appends what came together for one session, in order: each is judged by itself, and what is
  // accepted is stored in one piece. Done when all is known, with an outcome for each, in order.
  // Holds the session's shard meanwhile, so that it should be few. `order`: the publisher's in this
  // session; nothing: what it publishes stands for itself.
  void PublishAll(const std::string& session_id, std::vector<Publication> publications,
                  std::shared_ptr<PublishOrder> order, AllDone done);

  // Publishes a pending clarification, or finds the one of its id if the question is the same.
  void Ask(v1::Event event, Done<Published> done);
  // Answers, cancels or expires one. ALREADY_EXISTS carries the winner as its detail.
  void EndClarification(ClarificationEnd end, Done<Published> done);
  // The last durable event of a clarification; NOT_FOUND.
  void FindClarification(const std::string& session_id, const std::string& clarification_id,
                         Done<StoredEventPtr> done);

  // A page of what is behind a position: from memory, else from the store.
  void Read(ReadRequest request, Done<ReadPage> done);
  // A page of the fold.
  void ReadFold(const FoldRequest& request, Done<ReadPage> done);
  // NOT_FOUND before the first event.
  void GetSnapshot(const std::string& session_id, Done<SnapshotView> done);
  // What all histories in memory cost, about.
  size_t histories_bytes() const { return histories_bytes_; }
  BrokerCounts counts() const;
  void ListSessions(const std::string& after_session_id, size_t sessions_max,
                    Done<std::vector<v1::SessionSummary>> done);

  // `wake` is called when there may be something new: outside of locks, from any thread, more than
  // once at a time, but not from within Subscribe. The reader looks once by itself at the
  // beginning.
  std::unique_ptr<Subscription> Subscribe(const std::string& session_id,
                                          std::function<void()> wake);

 private:
  using AppendTo = absl::AnyInvocable<History::Answers(History&, const Stamp&)>;

  Shard& ShardOf(const std::string& session_id);
  Session& FindOrAdd(Shard& shard, const std::string& session_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // Runs the operation when the session is ready.
  void With(const std::string& session_id, Session::Operation operation);
  // `append` gives an answer for each that it was asked for. `done` is called with those, or at
  // once with why not.
  using Appended = absl::AnyInvocable<void(absl::StatusOr<Outcomes>)>;
  void Append(const std::string& session_id, size_t bytes, std::shared_ptr<PublishOrder> order,
              AppendTo append, Appended done);
  void AppendOne(const std::string& session_id, size_t bytes,
                 absl::AnyInvocable<Answer(History&, const Stamp&)> append, Done<Published> done);
  // Hands what was appended to the store, and answers when the answers may be given.
  void Settle(Session& session, History::Answers answers, std::shared_ptr<PublishOrder> order,
              Appended done, Effects& effects);
  // `acted`: with the store's outcome.
  void Commit(Session& session, absl::Span<Answer> answers, DeadlineThread::Acted acted);
  void Push(Session& session, StoreAppendPtr append, DeadlineThread::Acted acted);
  void Committed(Shard& shard, Session& session, const StoreAppend& append,
                 const AppendOutcome& outcome);
  void ReadCold(ReadRequest request, ReadPage page, Done<ReadPage> done, Effects& effects);

  // Whether what it has in memory is true.
  bool IsReady(const Session& session) const {
    return session.state == Session::State::kReady && session.generation == store_.generation();
  }
  void StartLoad(Shard& shard, Session& session, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // The logs came back short: what is in memory is loaded again.
  void LoadAnew(Shard& shard, Session& session, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void LoadAllAnew();
  void Load(Shard& shard, Session& session);
  void LoadFailed(Shard& shard, Session& session, const absl::Status& why, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // For a session that has subscribers and could not be loaded.
  void RetryLoad(Shard& shard, const std::string& session_id);
  // What an append of unknown outcome left in the store shows once the store takes appends again.
  void LookAgainLater(Shard& shard, const std::string& session_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void LookAgain(Shard& shard, const std::string& session_id);
  // After each use: what it costs; it may leave.
  void Settled(Shard& shard, Session& session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void Count(Session& session);
  // Holds histories_bytes_max over all shards. Sessions that nobody has used for a while leave
  // first, then what is in memory of recent events, since to load a session takes all its events,
  // then idle sessions.
  enum class Shed { kUnusedSessions, kWindows, kIdleSessions };
  void ShedMemory();
  bool HasTooMuch() const { return histories_bytes_ > options_.histories_bytes_max; }
  // What there is above `goal_bytes`.
  size_t BytesAbove(size_t goal_bytes) const;
  // How many bytes went; 0: there is nothing more of it.
  size_t ShedFromAllShards(Shed what, size_t goal_bytes);
  size_t ShedFrom(Shard& shard, Shed what, size_t bytes_wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void Erase(Shard& shard, Session& session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void Unsubscribe(Shard& shard, Session& session, const std::shared_ptr<Subscriber>& subscriber);
  void Act(const Deadline& deadline, DeadlineThread::Acted acted);
  void ExpireClarification(const Deadline& deadline, DeadlineThread::Acted acted);
  void LookAtSession(const Deadline& deadline, DeadlineThread::Acted acted);
  // Removes the session from the store; it is loaded anew after it, as one that has no events.
  void Delete(Session& session, const Deadline& deadline, DeadlineThread::Acted acted);

  Store& store_;
  const BrokerOptions options_;
  std::atomic<size_t> histories_bytes_{0};
  std::atomic<bool> shedding_{false};
  // Not 0: the bound was passed by what is in use alone; what is in use is looked through again
  // when there is so much.
  std::atomic<size_t> shed_from_bytes_{0};
  size_t shed_next_shard_ = 0;  // of the thread that sheds
  std::atomic<size_t> cold_reads_{0};
  std::atomic<size_t> subscriptions_{0};
  std::atomic<uint64_t> generation_;  // of the store, for which all sessions were looked through
  std::atomic<uint64_t> events_appended_{0};
  CommitQueue commit_queue_;  // before the shards, since what waits in them has room reserved
  WorkerPool worker_pool_;
  std::vector<std::unique_ptr<Shard>> shards_;
  DeadlineThread deadlines_;
};

}  // namespace sessioncast::control
