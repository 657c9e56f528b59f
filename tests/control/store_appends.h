// Appends for tests of stores, and what a store has of a session.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/store.h"

namespace sessioncast::test {

using Sequences = std::vector<uint64_t>;

// One append of custom events with the sequences first..last.
control::StoreAppend Events(const std::string& session_id, const std::string& epoch, uint64_t first,
                            uint64_t last);

// The same; with it what is below `kept_from` leaves, and the fold has one entry.
control::StoreAppend Trimming(control::StoreAppend append, uint64_t kept_from);

std::vector<control::AppendOutcome> Commit(control::Store& store,
                                           std::vector<control::StoreAppend> appends);

// What the disk has of a group that was written, and shows later whatever became of its chains in
// memory.
std::vector<control::StoreAppendPtr> AsTheDiskHasIt(
    absl::Span<const control::StoreAppendPtr> group);

struct LoadedLog {
  control::StoredSession session;
  Sequences sequences;
};

// A session that can be loaded.
LoadedLog LoadedFrom(control::Store& store, const std::string& session_id);
Sequences Loaded(control::Store& store, const std::string& session_id);

}  // namespace sessioncast::test
