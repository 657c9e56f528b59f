// How an event is handled: its delivery class, what the fold keeps of it, and its key, as the
// proto's options say.
//
// Pure; any thread. The options are read from the descriptors once; what an event costs is a look
// at its kind and status.
#pragma once

#include <string>

#include "sessioncast/v1/event.pb.h"

namespace sessioncast::control {

struct EventHandling {
  v1::Delivery delivery = v1::DELIVERY_UNSPECIFIED;
  v1::Fold fold = v1::FOLD_UNSPECIFIED;
};

// The kind's handling, with the overrides of its status and of its true fields. Unspecified for an
// event without a kind.
EventHandling HandlingOf(const v1::Event& event);

// The kind and the values of its key fields. Equal for two events exactly if BY_KEY handling takes
// them for one.
std::string KeyOf(const v1::Event& event);

}  // namespace sessioncast::control
