#include "tools/daemon/version.h"

namespace sessioncast::daemon {

std::string_view Version() { return SESSIONCAST_VERSION; }

}  // namespace sessioncast::daemon
