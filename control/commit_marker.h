// How many commits a store has made, in a file beside it: so that a store which comes back with
// fewer is found out. RocksDB's own recovery stops quietly at the first record of its log that it
// cannot read, and whatever is kept in that log is lost with it.
//
// Written in place, two slots in turn, so that a torn write leaves the one before and a full disk
// does not matter. Not thread-safe. Blocking.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sessioncast::control {

class CommitMarker {
 public:
  enum class Found {
    kNew,      // there was no such file
    kMark,     // see commits()
    kDamaged,  // there was one, and nothing in it can be read
  };

  // The file is DIRECTORY/commits.marker, and is made if there is none.
  static absl::StatusOr<std::unique_ptr<CommitMarker>> Open(const std::string& directory);
  ~CommitMarker();
  CommitMarker(const CommitMarker&) = delete;
  CommitMarker& operator=(const CommitMarker&) = delete;

  // As it was opened.
  Found found() const { return found_; }
  // Of the last Write, else of the file.
  uint64_t commits() const { return commits_; }
  // Durable when it returns.
  absl::Status Write(uint64_t commits);

 private:
  CommitMarker(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status Create(const std::string& directory);
  absl::Status Read();

  const int fd_;
  const std::string path_;
  Found found_ = Found::kNew;
  uint64_t commits_ = 0;
  uint64_t next_slot_ = 0;
};

}  // namespace sessioncast::control
