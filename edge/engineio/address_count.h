// How many connections each client address has, of all I/O threads together.
//
// Threads: any; a lock is held for one look-up. Not used where there is no limit.
#pragma once

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace sessioncast::engineio {

class AddressCount {
 public:
  // One more of this address, unless it has so many.
  bool Enter(const std::string& address, size_t connections_max);
  void Leave(const std::string& address);

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, size_t> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sessioncast::engineio
