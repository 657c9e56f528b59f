// As many descriptors as this process may have: for programs that hold thousands of connections.
//
// Threads: any; once, before there are many.
#pragma once

#include <sys/resource.h>

namespace sessioncast::daemon {

// To the hard limit (getrlimit(2), RLIMIT_NOFILE).
inline void RaiseDescriptors() {
  rlimit descriptors = {};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
}

}  // namespace sessioncast::daemon
