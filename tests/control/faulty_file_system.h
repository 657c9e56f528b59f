// A real file system that forgets, fills up and fails when it is told to, under the store in
// RocksDB.
//
// Threads: any. What is written goes to real files; beside them it is counted how much of each was
// synced, so that a copy can be taken of what a loss of power would have left.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/file_system.h"

namespace sessioncast::test {

class FaultyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  // Nothing more can be written; of the next write half of the bytes get through.
  void Fill() { full_ = true; }
  // Threads that asked for the room there is and saw none. After a write that failed they are
  // three: the writer's, the store's own, and that of RocksDB, which looks again 5 s later and
  // writes what it holds in memory if there is room then.
  size_t threads_that_saw_it_full() ABSL_LOCKS_EXCLUDED(mutex_);
  void MakeRoom() { full_ = false; }
  // Those of RocksDB's write-ahead log.
  void FailSyncs() { syncs_fail_ = true; }
  void HealSyncs() { syncs_fail_ = false; }
  int syncs() const { return syncs_; }

  // What is left of the directory after a loss of power: of each file what was synced, and so many
  // bytes of what was not.
  void CopyWhatSurvives(const std::string& directory, const std::string& copy,
                        uint64_t torn_bytes_max) ABSL_LOCKS_EXCLUDED(mutex_);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 uint64_t* bytes, rocksdb::IODebugContext* debug) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class FaultyFile;

  absl::Mutex mutex_;
  std::map<std::string, uint64_t> synced_bytes_ ABSL_GUARDED_BY(mutex_);
  std::set<std::thread::id> saw_it_full_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> full_{false};
  std::atomic<bool> syncs_fail_{false};
  std::atomic<int> syncs_{0};
};

}  // namespace sessioncast::test
