// Linked into every program of the preset `tsan`, and of no other: tells ThreadSanitizer what Abseil's locks do.
//
// Debian's Abseil is not compiled for it, so that all that a mutex of Abseil's guards would look like a race. The
// functions here are found before the shared library's, by our code, by gRPC and by Abseil itself; each calls the
// library's between the two annotations that ThreadSanitizer has for it. What a thread does between them is ignored,
// but for the conditions of waiters, which Abseil evaluates in whichever thread unlocks: Condition::Eval steps out.
// tsan_abseil_test.cc holds it to both: that a lock orders, and that nothing else is taken to.

#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "tests/support/tsan_library.h"

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace {

using sessioncast::test::Library;

class Operation;
// The operation that this thread is in the middle of.
thread_local Operation* current = nullptr;

// From before to after a call of the library that takes, gives back, or waits with a mutex. One within another (the
// library calls itself) is part of it.
class Operation {
 public:
  enum class Kind { kLock, kUnlock, kWait };

  Operation(Kind kind, Mutex* mutex, unsigned flags = 0) : kind_(kind), mutex_(mutex), flags_(flags) {
    if (current != nullptr) return;
    is_outermost_ = true;
    current = this;
    if (kind_ != Kind::kLock) __tsan_mutex_pre_unlock(mutex_, flags_);
    if (kind_ == Kind::kWait) __tsan_mutex_post_unlock(mutex_, flags_);
    if (kind_ != Kind::kUnlock) __tsan_mutex_pre_lock(mutex_, flags_);
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() {
    if (!is_outermost_) return;
    if (kind_ == Kind::kUnlock) {
      __tsan_mutex_post_unlock(mutex_, flags_);  // does not touch the mutex, which may be gone
    } else {
      __tsan_mutex_post_lock(mutex_, flags_, 0);
    }
    current = nullptr;
  }

  bool Tried(bool taken) {
    if (!taken) flags_ |= __tsan_mutex_try_lock_failed;
    return taken;
  }

  // In the middle of the operation, with the mutex held as far as the library knows.
  template <typename Function>
  bool StepOut(Function&& evaluate) {
    current = nullptr;
    if (kind_ == Kind::kUnlock) {
      __tsan_mutex_post_unlock(mutex_, flags_);
      __tsan_mutex_pre_lock(mutex_, flags_);
    }
    __tsan_mutex_post_lock(mutex_, flags_, 0);
    const bool result = evaluate();
    __tsan_mutex_pre_unlock(mutex_, flags_);
    if (kind_ != Kind::kUnlock) {
      __tsan_mutex_post_unlock(mutex_, flags_);
      __tsan_mutex_pre_lock(mutex_, flags_);
    }
    current = this;
    return result;
  }

 private:
  const Kind kind_;
  Mutex* const mutex_;
  unsigned flags_;
  bool is_outermost_ = false;
};

using Kind = Operation::Kind;

}  // namespace

Mutex::~Mutex() {
  static auto* const library = Library<void(Mutex*)>("_ZN4absl7debian35MutexD1Ev");
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
  __tsan_mutex_pre_signal(this, 0);  // what Abseil forgets with it is under a lock of Abseil's own
  library(this);
  __tsan_mutex_post_signal(this, 0);
}

void Mutex::Lock() {
  static auto* const library = Library<void(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  const Operation operation(Kind::kLock, this);
  library(this);
}

void Mutex::Unlock() {
  static auto* const library = Library<void(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  const Operation operation(Kind::kUnlock, this);
  library(this);
}

bool Mutex::TryLock() {
  static auto* const library = Library<bool(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  Operation operation(Kind::kLock, this, __tsan_mutex_try_lock);
  return operation.Tried(library(this));
}

void Mutex::ReaderLock() {
  static auto* const library = Library<void(Mutex*)>("_ZN4absl7debian35Mutex10ReaderLockEv");
  const Operation operation(Kind::kLock, this, __tsan_mutex_read_lock);
  library(this);
}

void Mutex::ReaderUnlock() {
  static auto* const library = Library<void(Mutex*)>("_ZN4absl7debian35Mutex12ReaderUnlockEv");
  const Operation operation(Kind::kUnlock, this, __tsan_mutex_read_lock);
  library(this);
}

bool Mutex::ReaderTryLock() {
  static auto* const library = Library<bool(Mutex*)>("_ZN4absl7debian35Mutex13ReaderTryLockEv");
  Operation operation(Kind::kLock, this, __tsan_mutex_try_read_lock);
  return operation.Tried(library(this));
}

// The condition waits in line with its owner, before that has the mutex: who evaluates it acquires what made it.
void Mutex::LockWhen(const Condition& condition) {
  static auto* const library =
      Library<void(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE");
  __tsan_release(const_cast<Condition*>(&condition));
  const Operation operation(Kind::kLock, this);
  library(this, condition);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  static auto* const library = Library<bool(Mutex*, const Condition&, Duration)>(
      "_ZN4absl7debian35Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  __tsan_release(const_cast<Condition*>(&condition));
  const Operation operation(Kind::kLock, this);
  return library(this, condition, timeout);
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  static auto* const library = Library<bool(Mutex*, const Condition&, Time)>(
      "_ZN4absl7debian35Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  __tsan_release(const_cast<Condition*>(&condition));
  const Operation operation(Kind::kLock, this);
  return library(this, condition, deadline);
}

// A wait with a mutex that is held for reading would be reported as an unlock of what is not locked: there is none.
void Mutex::Await(const Condition& condition) {
  static auto* const library =
      Library<void(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE");
  const Operation operation(Kind::kWait, this);
  library(this, condition);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static auto* const library = Library<bool(Mutex*, const Condition&, Duration)>(
      "_ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  const Operation operation(Kind::kWait, this);
  return library(this, condition, timeout);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static auto* const library = Library<bool(Mutex*, const Condition&, Time)>(
      "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  const Operation operation(Kind::kWait, this);
  return library(this, condition, deadline);
}

bool Condition::Eval() const {
  static auto* const library = Library<bool(const Condition*)>("_ZNK4absl7debian39Condition4EvalEv");
  if (current == nullptr) return library(this);
  return current->StepOut([&] {
    __tsan_acquire(const_cast<Condition*>(this));
    return library(this);
  });
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const library = Library<void(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  const Operation operation(Kind::kWait, mutex);
  library(this, mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* const library = Library<bool(CondVar*, Mutex*, Duration)>(
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  const Operation operation(Kind::kWait, mutex);
  return library(this, mutex, timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* const library = Library<bool(CondVar*, Mutex*, Time)>(
      "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  const Operation operation(Kind::kWait, mutex);
  return library(this, mutex, deadline);
}

// Who finds a notification given may have taken no lock: what is released here, each look (HasBeenNotified) acquires.
void Notification::Notify() {
  static auto* const library = Library<void(Notification*)>("_ZN4absl7debian312Notification6NotifyEv");
  __tsan_release(&notified_yet_);
  library(this);
}

void Notification::WaitForNotification() const {
  static auto* const library =
      Library<void(const Notification*)>("_ZNK4absl7debian312Notification19WaitForNotificationEv");
  library(this);
  static_cast<void>(HasBeenNotified());
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* const library = Library<bool(const Notification*, Duration)>(
      "_ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
  return library(this, timeout) && HasBeenNotified();
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  static auto* const library = Library<bool(const Notification*, Time)>(
      "_ZNK4absl7debian312Notification31WaitForNotificationWithDeadlineENS0_4TimeE");
  return library(this, deadline) && HasBeenNotified();
}

ABSL_NAMESPACE_END
}  // namespace absl
