#include "tests/instructions/control_side.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "control/attach_stream.h"
#include "sessioncast/v1/edge_service.pb.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::test {
namespace {

constexpr size_t kTurnBytesMax = 64 * 1024;

}  // namespace

ControlSide::ControlSide() {
  control::BrokerOptions options;
  options.clock = scheduler_.clock();
  options.start_loop = scheduler_.start_loop();
  broker_.emplace(store_, options);
}

ControlSide::~ControlSide() {
  interests_.clear();
  broker_.reset();
}

void ControlSide::Begin(uint32_t interest_id, const std::string& session_id) {
  Interest& interest = interests_[interest_id];
  interest.subscription =
      broker_->Subscribe(session_id, [this, interest_id] { MarkReady(interest_id); });
  MarkReady(interest_id);
}

void ControlSide::MarkReady(uint32_t interest_id) {
  const auto found = interests_.find(interest_id);
  if (found == interests_.end() || std::exchange(found->second.ready, true)) return;
  ready_.push_back(interest_id);
}

void ControlSide::Publish(const std::string& request) {
  v1::PublishEventRequest parsed;
  if (!parsed.ParseFromString(request)) std::abort();
  broker_->Publish(parsed.event(), parsed.idempotency_key(),
                   [this](absl::StatusOr<control::Published> published) {
                     if (!published.ok()) {
                       std::fprintf(stderr, "%s\n", published.status().ToString().c_str());
                       std::abort();
                     }
                     ++published_;
                   });
}

std::string ControlSide::NextMessage() {
  while (scheduler_.Step()) {
  }
  v1::AttachResponse message;
  for (const uint32_t id : std::exchange(ready_, {})) {
    Interest& interest = interests_.at(id);
    interest.ready = false;
    const control::LivePage page = interest.subscription->Next(kTurnBytesMax);
    if (page.announced.has_value() || page.more) MarkReady(id);
    if (!page.announced.has_value() && page.events.empty()) continue;
    *message.add_batches() = control::BatchOf(id, page);
  }
  return message.SerializeAsString();
}

}  // namespace sessioncast::test
