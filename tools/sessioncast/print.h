// How the tool shows things.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "sessioncast/v1/event.pb.h"

namespace sessioncast::tool {

// One line of JSON, names as in the browser contract.
std::string ToJson(const google::protobuf::Message& message);

// One line for people: `#12  14:03:07.120  progress  45 %  PROCESSING`. Nothing in it is obeyed by
// a terminal (shown_text.h).
std::string ToLine(const v1::Event& event);

// "COMPLETED" for SESSION_STATUS_COMPLETED.
std::string StatusWord(v1::SessionStatus status);
std::string StatusWord(v1::ModelResultStatus status);
std::string StatusWord(v1::ClarificationStatus status);

// "2026-11-23 14:03:07.120", UTC.
std::string TimeText(const google::protobuf::Timestamp& time);

}  // namespace sessioncast::tool
