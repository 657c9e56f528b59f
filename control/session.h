// A session in memory: its history, and all that waits for it.
//
// Threads: part of a shard, touched only under the shard's mutex. What is to run outside the mutex
// is put into Effects. Invariants: a history is looked at only in kReady; what wants a session in
// another state stands in its line; a session with appends in flight, waiters, a line or
// subscribers stays in memory.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "control/history.h"
#include "control/publish_order.h"
#include "control/store.h"

namespace sessioncast::control {

// What runs once the mutex is let go.
using Effects = std::vector<absl::AnyInvocable<void()>>;

// Calls back with a result once the mutex is let go.
template <typename T>
void Tell(Effects& effects, absl::AnyInvocable<void(absl::StatusOr<T>)> done,
          absl::StatusOr<T> result) {
  effects.push_back(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

// What a reader wants called when the durable head moves.
struct Subscriber {
  std::function<void()> wake;
};

class Session {
 public:
  enum class State {
    kUnloaded,  // nobody has asked yet, or loading failed
    kLoading,
    kReady,
    kFailed,  // a group failed, or it is being deleted; once nothing is in flight it is loaded
              // anew, since the store knows what is true
  };
  // Runs under the mutex, with the session once it is ready, or with why it will not be.
  using Operation = absl::AnyInvocable<void(absl::StatusOr<Session*>, Effects&)>;
  // OK: what the answer rests on is durable. Else, only what is up to `through`.
  using Waiter = absl::AnyInvocable<void(const absl::Status&, uint64_t through)>;

  Session(std::string id, HistoryOptions options);

  // Once `sequence` is durable, or will not be: then `order` is broken, if there is one.
  void WaitFor(uint64_t sequence, Waiter waiter, std::shared_ptr<PublishOrder> order,
               Effects& effects);
  // An append came back from the store.
  void AppendStored(uint64_t through, Effects& effects);
  void AppendFailed(uint64_t first, const absl::Status& why, Effects& effects);
  // What is not durable yet is unknown from now on.
  void Fail(uint64_t first, const absl::Status& why, Effects& effects);
  // As the store had it in this generation of it.
  void Loaded(History loaded, uint64_t of_generation, Effects& effects);
  void LoadFailed(const absl::Status& why, Effects& effects);
  void WakeSubscribers(Effects& effects);

  // Whether it may leave memory.
  bool IsIdle() const;

  const std::string id;
  State state = State::kUnloaded;
  History history;
  uint64_t generation = 0;             // of the store that it was loaded from
  std::shared_ptr<AppendChain> chain;  // of the appends since it was loaded
  size_t appends_in_flight = 0;
  std::list<Operation> line;
  std::set<std::shared_ptr<Subscriber>> subscribers;
  // It could not be loaded, and will be tried again.
  bool retry_waits = false;
  size_t bytes_counted = 0;
  std::list<Session*>::iterator use;
  absl::Time used;  // last

 private:
  struct Waiting {
    Waiter waiter;
    std::shared_ptr<PublishOrder> order;
  };
  std::multimap<uint64_t, Waiting> waiting_;  // by the sequence that they wait for
};

// Some of the sessions, behind one mutex.
struct Shard {
  absl::Mutex mutex;
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions ABSL_GUARDED_BY(mutex);
  std::list<Session*> by_use ABSL_GUARDED_BY(mutex);  // the last used first
  // Ids of sessions of which an append had no outcome: the store will be asked what became of it.
  // Also of those that left memory since, as they may come back before the store knows.
  std::set<std::string> look_again ABSL_GUARDED_BY(mutex);
};

}  // namespace sessioncast::control
