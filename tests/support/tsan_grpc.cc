// As tsan_abseil.cc, for gRPC, whose own order is in atomics of libraries that are not compiled for ThreadSanitizer:
// what was done before a batch of a call was started comes before what is done once it has ended; all of a call before
// its OnDone; all calls before the server has shut down.
//
// The tag of a batch is what one end has in common with the other. Of a completion queue for callbacks it is a functor,
// which is told by what it runs; an acquire is put before that.

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpcpp/server.h>
#include <grpcpp/support/server_callback.h>
#include <sanitizer/tsan_interface.h>

#include "tests/support/tsan_library.h"

using Run = void(grpc_completion_queue_functor*, int);

extern "C" {
// Private members of classes that are in headers only; a program that makes no such calls has none.
[[gnu::weak]] Run RunWithSuccess asm(
    "_ZN4grpc8internal22CallbackWithSuccessTag9StaticRunEP29grpc_completion_queue_functori");
[[gnu::weak]] Run RunWithStatus asm(
    "_ZN4grpc8internal21CallbackWithStatusTag9StaticRunEP29grpc_completion_queue_functori");
}

using sessioncast::test::Library;

namespace {

template <Run* run>
void AcquireAndRun(grpc_completion_queue_functor* tag, int ok) {
  __tsan_acquire(tag);
  run(tag, ok);
}

template <Run* run>
void PutAcquireBefore(grpc_completion_queue_functor* tag) {
  if (run != nullptr && tag->functor_run == run) tag->functor_run = &AcquireAndRun<run>;
}

// A transport within the process hands over the very bytes.
void ReleaseMessages(const grpc_op* ops, size_t count) {
  for (const grpc_op* op = ops; op != ops + count; ++op) {
    if (op->op != GRPC_OP_SEND_MESSAGE || op->data.send_message.send_message == nullptr) continue;
    const grpc_slice_buffer& bytes = op->data.send_message.send_message->data.raw.slice_buffer;
    for (size_t i = 0; i < bytes.count; ++i) __tsan_release(GRPC_SLICE_START_PTR(bytes.slices[i]));
  }
}

}  // namespace

extern "C" grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                                 void* reserved) {
  static auto* const library = Library<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  ReleaseMessages(ops, count);
  if (tag != nullptr) {
    PutAcquireBefore<&RunWithSuccess>(static_cast<grpc_completion_queue_functor*>(tag));
    PutAcquireBefore<&RunWithStatus>(static_cast<grpc_completion_queue_functor*>(tag));
    __tsan_release(tag);
  }
  return library(call, ops, count, tag, reserved);
}

extern "C" grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static auto* const library = Library<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  const grpc_event event = library(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

extern "C" grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline,
                                                  void* reserved) {
  static auto* const library = Library<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  const grpc_event event = library(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

extern "C" int grpc_byte_buffer_reader_peek(grpc_byte_buffer_reader* reader, grpc_slice** slice) {
  static auto* const library = Library<decltype(grpc_byte_buffer_reader_peek)>("grpc_byte_buffer_reader_peek");
  const int found = library(reader, slice);
  if (found) __tsan_acquire(GRPC_SLICE_START_PTR(**slice));
  return found;
}

// What a call of the server's waits for before its OnDone is counted in the headers and by the library, which may count
// the last.
void grpc::internal::ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  static auto* const library = Library<void(ServerCallbackCall*, bool)>(
      "_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
  __tsan_acquire(&callbacks_outstanding_);
  library(this, inline_ondone);
}

// Each call that it took is counted by a server, which waits for all when it is shut down.
void grpc::Server::UnrefWithPossibleNotify() {
  static auto* const library = Library<void(Server*)>("_ZN4grpc6Server23UnrefWithPossibleNotifyEv");
  __tsan_release(&shutdown_refs_outstanding_);
  library(this);
}

void grpc::Server::UnrefAndWaitLocked() {
  static auto* const library = Library<void(Server*)>("_ZN4grpc6Server18UnrefAndWaitLockedEv");
  library(this);
  __tsan_acquire(&shutdown_refs_outstanding_);
}
