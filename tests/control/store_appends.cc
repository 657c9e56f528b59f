#include "tests/control/store_appends.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>

#include "tests/control/events.h"

namespace sessioncast::test {

// One append of custom events with the sequences first..last.
control::StoreAppend Events(const std::string& session_id, const std::string& epoch, uint64_t first,
                            uint64_t last) {
  control::StoreAppend append;
  append.session_id = session_id;
  append.after = first == 1 ? v1::Position() : PositionAt(epoch, first - 1);
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    v1::Event event = CustomEvent(session_id, "n" + std::to_string(sequence));
    *event.mutable_position() = PositionAt(epoch, sequence);
    *event.mutable_time() =
        control::ToTimestamp(absl::FromUnixSeconds(static_cast<int64_t>(sequence)));
    append.events.push_back(
        control::MakeStoredEvent(event, "key" + std::to_string(sequence), sequence));
  }
  append.session.position = PositionAt(epoch, last);
  append.session.status = v1::SESSION_STATUS_ACTIVE;
  return append;
}

// The same; with it what is below `kept_from` leaves, and the fold has one entry.
control::StoreAppend Trimming(control::StoreAppend append, uint64_t kept_from) {
  append.session.first_sequence = kept_from;
  control::FoldState fold;
  fold.through = append.events.back()->sequence;
  fold.entries = {append.events.front()};
  fold.totals = {.results_processing = 1,
                 .results_completed = 2,
                 .results_failed = 3,
                 .status = v1::SESSION_STATUS_PROCESSING,
                 .end_sequence = 4,
                 .clarifications_left_out = 5,
                 .model_results_left_out = 6};
  append.session.fold = std::move(fold);
  return append;
}

std::vector<control::AppendOutcome> Commit(control::Store& store,
                                           std::vector<control::StoreAppend> appends) {
  std::vector<control::StoreAppendPtr> group;
  for (control::StoreAppend& append : appends)
    group.push_back(std::make_shared<const control::StoreAppend>(std::move(append)));
  return store.Commit(group);
}

std::vector<control::StoreAppendPtr> AsTheDiskHasIt(
    absl::Span<const control::StoreAppendPtr> group) {
  std::vector<control::StoreAppendPtr> written;
  std::map<control::AppendChain*, std::shared_ptr<control::AppendChain>> chains;
  for (const control::StoreAppendPtr& append : group) {
    auto copy = std::make_shared<control::StoreAppend>(*append);
    if (append->chain != nullptr) {
      if (append->chain->broken) continue;  // refused, so never written
      std::shared_ptr<control::AppendChain>& chain = chains[append->chain.get()];
      if (chain == nullptr) chain = std::make_shared<control::AppendChain>();
      copy->chain = chain;
    }
    written.push_back(std::move(copy));
  }
  return written;
}

LoadedLog LoadedFrom(control::Store& store, const std::string& session_id) {
  LoadedLog log;
  const absl::Status status = store.Load(
      session_id, [&log](const control::StoredSession& session) { log.session = session; },
      [&log](const control::StoredEventPtr& event) { log.sequences.push_back(event->sequence); });
  EXPECT_TRUE(status.ok()) << status;
  return log;
}

Sequences Loaded(control::Store& store, const std::string& session_id) {
  return LoadedFrom(store, session_id).sequences;
}

}  // namespace sessioncast::test
