// Who sent a request, where proxies stand between: the address that X-Forwarded-For says, as far as
// those are trusted who say it. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/engineio/http.h"

namespace sessioncast::engineio {

class TrustedProxies {
 public:
  // Networks as "10.0.0.0/8", "fd00::/8", or single addresses. InvalidArgument names the one that is
  // none.
  static absl::StatusOr<TrustedProxies> Of(const std::vector<std::string>& networks);

  TrustedProxies();  // trusts nobody
  ~TrustedProxies();
  TrustedProxies(TrustedProxies&&) noexcept;
  TrustedProxies& operator=(TrustedProxies&&) noexcept;

  // The right-most address of X-Forwarded-For that no trusted proxy has, if `peer` is one; else
  // `peer`. What is no address is not believed, nor what stands left of it: then it is the last
  // proxy.
  std::string ClientOf(std::string_view peer, const HttpFields& headers) const;

 private:
  struct Networks;
  std::unique_ptr<const Networks> networks_;
};

// What stands for one user where connections are counted: the address, of IPv6 its /64, since a
// single machine has as many as it likes of those.
std::string CountedAddress(std::string_view address);

}  // namespace sessioncast::engineio
