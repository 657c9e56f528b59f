// How the SDK tries again. The three SDKs have the same names and defaults (client_sdk/README.md).
#pragma once

#include <chrono>

namespace sessioncast {

struct RetryOptions {
  // Of one attempt of a call that does not wait for a human or for events.
  std::chrono::milliseconds call_timeout{10'000};
  // Between two attempts: doubling from the least to the most, each a random part between half and
  // all of it; longer where control asks for more (grpc-retry-pushback-ms). At least 1 ms.
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{2'000};
};

}  // namespace sessioncast
