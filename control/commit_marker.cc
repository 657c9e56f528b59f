#include "control/commit_marker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {
namespace {

constexpr size_t kSlots = 2;
// A sector each, so that writing one does not touch the other.
constexpr size_t kSlotBytes = 512;

struct Mark {
  uint64_t commits = 0;
  uint64_t checksum = 0;
};

// Never 0 for a mark of 0, so that a file of zeros has no mark.
uint64_t ChecksumOf(uint64_t commits) {
  return ~static_cast<uint64_t>(
      crc32(0, reinterpret_cast<const Bytef*>(&commits), sizeof(commits)));
}

absl::Status Failed(const std::string& path, const char* what) {
  return absl::UnavailableError(
      absl::StrCat("store: ", path, ": ", what, ": ", std::strerror(errno)));
}

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(directory, "open");
  const int synced = fsync(fd);
  close(fd);
  return synced == 0 ? absl::OkStatus() : Failed(directory, "fsync");
}

}  // namespace

absl::StatusOr<std::unique_ptr<CommitMarker>> CommitMarker::Open(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/commits.marker");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(path, "open");
  std::unique_ptr<CommitMarker> marker(new CommitMarker(fd, path));
  struct stat file = {};
  if (fstat(fd, &file) != 0) return Failed(path, "fstat");
  absl::Status status = file.st_size == 0 ? marker->Create(directory) : marker->Read();
  if (!status.ok()) return status;
  return marker;
}

CommitMarker::~CommitMarker() { close(fd_); }

absl::Status CommitMarker::Create(const std::string& directory) {
  const std::array<char, kSlots * kSlotBytes> empty{};
  if (pwrite(fd_, empty.data(), empty.size(), 0) != static_cast<ssize_t>(empty.size()) ||
      fsync(fd_) != 0) {
    return Failed(path_, "write");
  }
  return SyncDirectory(directory);
}

absl::Status CommitMarker::Read() {
  found_ = Found::kDamaged;
  for (size_t slot = 0; slot < kSlots; ++slot) {
    Mark mark;
    const ssize_t bytes = pread(fd_, &mark, sizeof(mark), static_cast<off_t>(slot * kSlotBytes));
    if (bytes < 0) return Failed(path_, "read");
    if (bytes != sizeof(mark) || mark.checksum != ChecksumOf(mark.commits)) continue;
    if (found_ == Found::kMark && mark.commits < commits_) continue;
    found_ = Found::kMark;
    commits_ = mark.commits;
    next_slot_ = slot + 1;
  }
  return absl::OkStatus();
}

absl::Status CommitMarker::Write(uint64_t commits) {
  const Mark mark{commits, ChecksumOf(commits)};
  const auto at = static_cast<off_t>(next_slot_ % kSlots * kSlotBytes);
  if (pwrite(fd_, &mark, sizeof(mark), at) != sizeof(mark) || fdatasync(fd_) != 0) {
    return Failed(path_, "write");
  }
  ++next_slot_;
  commits_ = commits;
  return absl::OkStatus();
}

}  // namespace sessioncast::control
