// libchaos_kill_at_step.so: preloaded into control by tools/chaos, it kills the process at one step
// of its way to the disk and to its callers: before, half way through or after the n-th call that
// is this step. Nothing happens until the file named by SESSIONCAST_KILL_AT_STEP is there, which
// holds "KIND CALL WHEN N", such as "log write half 17"; it is read once, and calls count from then
// on. The step stands for a moment before the process dies: what another thread says too early has
// left by then. WHEN may also be a loss of power after a write (`lost`: nothing of the file that
// was not synced is left; `torn`: the first half of that) or, of a sync, an error of the disk
// (`fails`). Kinds: log, table, manifest, current, marker (files of a store), answer (a TCP socket,
// once a log was synced).
// With SESSIONCAST_SLOW_SYNC_MS each sync of a log takes so much longer: a slow disk.
//
// Threads: any. Calls come before main() too, so everything here is set up at its first use.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

namespace {

constexpr size_t kPlanBytesMax = 127;
constexpr size_t kLineBytesMax = 511;
constexpr int kStandsMs = 20;

enum class Moment { kNone, kBefore, kHalf, kAfter, kLost, kTorn, kFails };

struct Plan {
  std::array<char, 16> kind{};
  std::array<char, 16> call{};
  std::array<char, 16> when{};
  int number = 0;
};

Plan plan;
std::mutex plan_mutex;
std::atomic<bool> armed{false};
std::atomic<bool> log_synced{false};
std::atomic<int> calls{0};
// Of the log that is being written.
std::atomic<ino_t> synced_inode{0};
std::atomic<off_t> synced_bytes{0};

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool IsArmed() {
  if (armed) return true;
  const char* const file = std::getenv("SESSIONCAST_KILL_AT_STEP");
  const int fd = file == nullptr ? -1 : open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, kPlanBytesMax + 1> text{};
  const ssize_t bytes = read(fd, text.data(), kPlanBytesMax);
  close(fd);
  const std::lock_guard<std::mutex> lock(plan_mutex);
  if (armed || bytes <= 0) return armed;
  armed = std::sscanf(text.data(), "%15s %15s %15s %d", plan.kind.data(), plan.call.data(),
                      plan.when.data(), &plan.number) == 4;
  return armed;
}

std::string_view KindOf(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".log")) return "log";
  if (name.ends_with(".sst")) return "table";
  if (name.starts_with("MANIFEST-")) return "manifest";
  if (name == "CURRENT") return "current";
  if (name == "commits.marker") return "marker";
  return "";
}

std::string_view KindOf(int fd) {
  std::array<char, 32> link{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  std::array<char, PATH_MAX> path{};
  const ssize_t bytes = readlink(link.data(), path.data(), path.size());
  return bytes <= 0 ? "" : KindOf(std::string_view(path.data(), static_cast<size_t>(bytes)));
}

std::string_view KindOfSocket(int fd) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  const bool is_tcp = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
                      (domain == AF_INET || domain == AF_INET6);
  return is_tcp && log_synced ? "answer" : "";
}

Moment MomentOf(std::string_view kind, std::string_view call) {
  if (kind != plan.kind.data() || call != plan.call.data()) return Moment::kNone;
  if (++calls != plan.number) return Moment::kNone;
  const std::string_view when = plan.when.data();
  if (when == "before") return Moment::kBefore;
  if (when == "lost") return Moment::kLost;
  if (when == "torn") return Moment::kTorn;
  if (when == "fails") return Moment::kFails;
  return when == "half" ? Moment::kHalf : Moment::kAfter;
}

void Say(const char* what, size_t done, size_t size) {
  std::array<char, kLineBytesMax + 1> line{};
  const int bytes = std::snprintf(
      line.data(), line.size(), "\n%s at step: %s %s %s, call %d, %zu of %zu bytes done\n", what,
      plan.kind.data(), plan.call.data(), plan.when.data(), plan.number, done, size);
  syscall(SYS_write, STDERR_FILENO, line.data(), bytes);
}

[[noreturn]] void Die(size_t done, size_t size) {
  Say("killed", done, size);
  poll(nullptr, 0, kStandsMs);
  kill(getpid(), SIGKILL);
  while (true) pause();
}

// Calls `whole`, or `part` and nothing more; or dies around it.
template <typename Whole, typename Part>
auto Around(Moment moment, size_t size, Whole whole, Part part) {
  if (moment == Moment::kBefore) Die(0, size);
  if (moment == Moment::kHalf) {
    part(size / 2);
    Die(size / 2, size);
  }
  const auto result = whole();
  if (moment == Moment::kAfter) Die(size, size);
  return result;
}

template <typename Whole>
int AroundWhole(Moment moment, Whole whole) {
  return Around(moment, 0, whole, [](size_t) {});
}

// What a loss of power leaves of a file: all that was synced, and perhaps a part of the rest.
[[noreturn]] void LosePower(int fd, Moment moment) {
  struct stat file = {};
  fstat(fd, &file);
  const off_t synced = file.st_ino == synced_inode ? synced_bytes.load() : 0;
  const off_t left = moment == Moment::kTorn ? synced + (file.st_size - synced) / 2 : synced;
  // What was said too early leaves first.
  poll(nullptr, 0, kStandsMs);
  if (ftruncate(fd, left) != 0) abort();
  Die(static_cast<size_t>(left), static_cast<size_t>(file.st_size));
}

int SlowSyncMs() {
  const char* const milliseconds = std::getenv("SESSIONCAST_SLOW_SYNC_MS");
  return milliseconds == nullptr ? 0 : std::atoi(milliseconds);
}

int Sync(int fd, int (*next)(int)) {
  const std::string_view kind = KindOf(fd);
  const Moment moment = IsArmed() ? MomentOf(kind, "sync") : Moment::kNone;
  if (moment == Moment::kFails) {
    Say("failed", 0, 0);
    errno = EIO;
    return -1;
  }
  if (kind == "log") poll(nullptr, 0, SlowSyncMs());
  const int result = AroundWhole(moment, [&] { return next(fd); });
  struct stat file = {};
  if (kind == "log" && result == 0 && fstat(fd, &file) == 0) {
    log_synced = true;
    synced_bytes = file.st_size;
    synced_inode = file.st_ino;
  }
  return result;
}

// `next` writes so many bytes.
template <typename Next>
ssize_t Write(int fd, size_t size, Next next) {
  const Moment moment = MomentOf(KindOf(fd), "write");
  const ssize_t written = Around(
      moment, size, [&] { return next(size); }, next);
  if (moment == Moment::kLost || moment == Moment::kTorn) LosePower(fd, moment);
  return written;
}

size_t BytesOf(const msghdr& message) {
  size_t bytes = 0;
  for (size_t i = 0; i < message.msg_iovlen; ++i) bytes += message.msg_iov[i].iov_len;
  return bytes;
}

// The first bytes of a message, one buffer after another.
void SendPart(int fd, const msghdr& message, size_t bytes) {
  for (size_t i = 0; i < message.msg_iovlen && bytes > 0; ++i) {
    const size_t part = bytes < message.msg_iov[i].iov_len ? bytes : message.msg_iov[i].iov_len;
    if (send(fd, message.msg_iov[i].iov_base, part, MSG_NOSIGNAL) < 0) return;
    bytes -= part;
  }
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  if (!IsArmed()) return next(fd, data, size);
  return Write(fd, size, [&](size_t bytes) { return next(fd, data, bytes); });
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  if (!IsArmed()) return next(fd, data, size, at);
  return Write(fd, size, [&](size_t bytes) { return next(fd, data, bytes, at); });
}

int fdatasync(int fd) {
  static const auto next = Next<int (*)(int)>("fdatasync");
  return Sync(fd, next);
}

int fsync(int fd) {
  static const auto next = Next<int (*)(int)>("fsync");
  return Sync(fd, next);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto next = Next<ssize_t (*)(int, const msghdr*, int)>("sendmsg");
  if (!IsArmed()) return next(fd, message, flags);
  return Around(
      MomentOf(KindOfSocket(fd), "send"), BytesOf(*message),
      [&] { return next(fd, message, flags); }, [&](size_t half) { SendPart(fd, *message, half); });
}

int rename(const char* from, const char* to) noexcept {
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  if (!IsArmed()) return next(from, to);
  return AroundWhole(MomentOf(KindOf(std::string_view(to)), "rename"),
                     [&] { return next(from, to); });
}

int unlink(const char* path) noexcept {
  static const auto next = Next<int (*)(const char*)>("unlink");
  if (!IsArmed()) return next(path);
  return AroundWhole(MomentOf(KindOf(std::string_view(path)), "unlink"),
                     [&] { return next(path); });
}

}  // extern "C"
