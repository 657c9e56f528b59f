#include "edge/engineio/address_count.h"

namespace sessioncast::engineio {

bool AddressCount::Enter(const std::string& address, size_t connections_max) {
  const absl::MutexLock lock(&mutex_);
  size_t& count = counts_[address];
  if (count >= connections_max) return false;
  ++count;
  return true;
}

void AddressCount::Leave(const std::string& address) {
  const absl::MutexLock lock(&mutex_);
  const auto found = counts_.find(address);
  if (--found->second == 0) counts_.erase(found);
}

}  // namespace sessioncast::engineio
