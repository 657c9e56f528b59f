#include "bench/load/event_source.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::bench {

EventSource::EventSource(EventSourceOptions options, int64_t begin_ns)
    : options_(std::move(options)), begin_ns_(begin_ns), numbers_(options.sessions) {}

int64_t EventSource::AddTo(v1::PublishEventsRequest& message) {
  const int64_t time_ns = next_time_ns();
  Add(message, time_ns);
  return time_ns;
}

void EventSource::AddNowTo(v1::PublishEventsRequest& message) { Add(message, NowNs()); }

void EventSource::Add(v1::PublishEventsRequest& message, int64_t time_ns) {
  const auto session = static_cast<uint32_t>(next_++ / options_.burst % options_.sessions);
  const std::string text = StampedText({time_ns, numbers_[session]++}, options_.text_bytes);
  v1::Event& event = *message.add_events()->mutable_event();
  event.set_session_id(absl::StrCat(options_.session_prefix, session));
  if (options_.event == EventKind::kToken) {
    event.mutable_custom()->set_name("token");
    (*event.mutable_custom()->mutable_data()->mutable_fields())["text"].set_string_value(text);
    return;
  }
  v1::ModelResult& result = *event.mutable_model_result();
  result.set_model_name("bench");
  result.set_status(v1::MODEL_RESULT_STATUS_COMPLETED);
  result.set_result(text);
}

}  // namespace sessioncast::bench
