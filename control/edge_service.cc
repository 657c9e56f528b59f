#include "control/edge_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "control/refusal.h"
#include "proto/rules.h"

namespace sessioncast::control {
namespace {

constexpr uint32_t kPageBytesDefault = 256 * 1024;
constexpr uint32_t kPageBytesMax = 1024 * 1024;

absl::Status Check(const v1::ReadEventsRequest& request) {
  if (absl::Status status = CheckId("session_id", request.session_id()); !status.ok())
    return status;
  if (request.page_bytes_max() > kPageBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_bytes_max: at most ", kPageBytesMax, ", is ", request.page_bytes_max()));
  }
  if (request.from_case() == v1::ReadEventsRequest::FROM_NOT_SET) {
    return absl::InvalidArgumentError("from: must be set, to after or fold");
  }
  return absl::OkStatus();
}

void Fill(const absl::StatusOr<ReadPage>& page, v1::ReadEventsResponse& response) {
  if (!page.ok()) {
    response.set_outcome(v1::ReadEventsResponse::OUTCOME_UNAVAILABLE);
    return;
  }
  *response.mutable_top() = page->top;
  if (page->outcome == ReadPage::Outcome::kOutOfRange) {
    response.set_outcome(v1::ReadEventsResponse::OUTCOME_OUT_OF_RANGE);
    return;
  }
  response.set_outcome(v1::ReadEventsResponse::OUTCOME_PAGE);
  response.set_through_sequence(page->through);
  for (const StoredEventPtr& event : page->events) response.add_events(event->bytes);
}

}  // namespace

grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* EdgeService::Attach(
    grpc::CallbackServerContext* context) {
  using Reactor = grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>;
  const absl::StatusOr<Caller> caller = access_.Check(*context, Method::kAttach);
  absl::Status status = caller.status();
  if (status.ok()) status = caller->MayUseAllSessions();
  if (!status.ok()) return new RefusedStream<Reactor>(status);
  return AttachStream::Start(broker_, long_calls_, *caller, *context, pacer_, options_);
}

grpc::ServerUnaryReactor* EdgeService::ReadEvents(grpc::CallbackServerContext* context,
                                                  const v1::ReadEventsRequest* request,
                                                  v1::ReadEventsResponse* response) {
  const absl::StatusOr<Caller> caller =
      access_.Check(*context, Method::kReadEvents, request->session_id());
  if (!caller.ok()) return Refuse(*context, caller.status());
  if (absl::Status status = Check(*request); !status.ok()) return Refuse(*context, status);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto done = [reactor, response](absl::StatusOr<ReadPage> page) {
    Fill(page, *response);
    reactor->Finish(grpc::Status::OK);
  };
  const size_t bytes_max =
      request->page_bytes_max() == 0 ? kPageBytesDefault : request->page_bytes_max();
  if (request->has_fold()) {
    FoldRequest fold{request->session_id(), request->fold().after_sequence(), {}, bytes_max};
    if (request->fold().has_through()) fold.through = request->fold().through();
    broker_.ReadFold(fold, std::move(done));
  } else {
    const Reading reading = request->conflated() ? Reading::kConflated : Reading::kWhole;
    broker_.Read({request->session_id(), request->after(),
                  PageLimits{.bytes_max = bytes_max, .reading = reading}},
                 std::move(done));
  }
  return reactor;
}

}  // namespace sessioncast::control
