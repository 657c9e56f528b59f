#include "tests/control/faulty_file_system.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"

namespace sessioncast::test {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class FaultyFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(FaultyFileSystem& system, std::string name,
             std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), system_(system), name_(std::move(name)) {}

  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  IODebugContext* debug) override {
    if (!system_.full_) return FSWritableFileOwnerWrapper::Append(bytes, options, debug);
    const rocksdb::Slice half(bytes.data(), bytes.size() / 2);
    const IOStatus written = FSWritableFileOwnerWrapper::Append(half, options, debug);
    return written.ok() ? IOStatus::NoSpace("No space left on device") : written;
  }

  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return Append(bytes, options, debug);
  }

  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    ++system_.syncs_;
    if (fails()) return IOStatus::IOError("fdatasync: Input/output error");
    return Synced(FSWritableFileOwnerWrapper::Sync(options, debug), options, debug);
  }

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    ++system_.syncs_;
    if (fails()) return IOStatus::IOError("fsync: Input/output error");
    return Synced(FSWritableFileOwnerWrapper::Fsync(options, debug), options, debug);
  }

 private:
  bool fails() const { return system_.syncs_fail_ && absl::EndsWith(name_, ".log"); }

  IOStatus Synced(IOStatus status, const IOOptions& options, IODebugContext* debug) {
    if (!status.ok()) return status;
    const uint64_t bytes = GetFileSize(options, debug);
    absl::MutexLock lock(&system_.mutex_);
    system_.synced_bytes_[name_] = bytes;
    return status;
  }

  FaultyFileSystem& system_;
  const std::string name_;
};

IOStatus FaultyFileSystem::NewWritableFile(const std::string& name,
                                           const rocksdb::FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                                           IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
  if (!status.ok()) return status;
  *file = std::make_unique<FaultyFile>(*this, name, std::move(*file));
  absl::MutexLock lock(&mutex_);
  synced_bytes_[name] = 0;
  return status;
}

IOStatus FaultyFileSystem::RenameFile(const std::string& from, const std::string& to,
                                      const IOOptions& options, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
  absl::MutexLock lock(&mutex_);
  if (status.ok() && synced_bytes_.count(from) > 0) {
    synced_bytes_[to] = synced_bytes_[from];
    synced_bytes_.erase(from);
  }
  return status;
}

IOStatus FaultyFileSystem::GetFreeSpace(const std::string& path, const IOOptions& options,
                                        uint64_t* bytes, IODebugContext* debug) {
  if (!full_) return FileSystemWrapper::GetFreeSpace(path, options, bytes, debug);
  *bytes = 0;
  absl::MutexLock lock(&mutex_);
  saw_it_full_.insert(std::this_thread::get_id());
  return IOStatus::OK();
}

size_t FaultyFileSystem::threads_that_saw_it_full() {
  absl::MutexLock lock(&mutex_);
  return saw_it_full_.size();
}

void FaultyFileSystem::CopyWhatSurvives(const std::string& directory, const std::string& copy,
                                        uint64_t torn_bytes_max) {
  namespace fs = std::filesystem;
  fs::create_directories(copy);
  absl::MutexLock lock(&mutex_);
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const fs::path to = fs::path(copy) / entry.path().filename();
    fs::copy_file(entry.path(), to, fs::copy_options::overwrite_existing);
    const auto synced = synced_bytes_.find(entry.path().string());
    if (synced == synced_bytes_.end()) continue;  // not written through here: the marker
    fs::resize_file(to, std::min<uint64_t>(fs::file_size(to), synced->second + torn_bytes_max));
  }
}

}  // namespace sessioncast::test
