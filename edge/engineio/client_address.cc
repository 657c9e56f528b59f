#include "edge/engineio/client_address.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sessioncast::engineio {
namespace {

namespace ip = boost::asio::ip;

constexpr unsigned short kCountedPrefixBits = 64;

// An IPv4 address in IPv6's clothes is an IPv4 address.
std::optional<ip::address> ReadAddress(absl::string_view text) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  if (!address.is_v6()) return address;
  const ip::address_v6 v6 = address.to_v6();
  if (v6.scope_id() != 0) return std::nullopt;
  return v6.is_v4_mapped() ? ip::address(ip::make_address_v4(ip::v4_mapped, v6)) : address;
}

// As proxies write it: "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80".
std::optional<ip::address> ReadForwarded(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (absl::StartsWith(text, "[")) {
    const size_t end = text.find(']');
    return end == absl::string_view::npos ? std::nullopt : ReadAddress(text.substr(1, end - 1));
  }
  const size_t colon = text.find(':');
  const bool has_port = colon != absl::string_view::npos && colon == text.rfind(':');
  return ReadAddress(has_port ? text.substr(0, colon) : text);
}

// The last one first.
std::vector<absl::string_view> Forwarded(const HttpFields& headers) {
  std::vector<absl::string_view> all;
  for (const auto& [name, value] : headers) {
    if (!absl::EqualsIgnoreCase(name, "X-Forwarded-For")) continue;
    for (absl::string_view one : absl::StrSplit(value, ',')) all.push_back(one);
  }
  std::reverse(all.begin(), all.end());
  return all;
}

}  // namespace

struct TrustedProxies::Networks {
  bool Have(const ip::address& address) const {
    const auto is_v4 = [&](const ip::network_v4& network) {
      const ip::network_v4 host(address.to_v4(), 32);
      return host == network || host.is_subnet_of(network);
    };
    const auto is_v6 = [&](const ip::network_v6& network) {
      const ip::network_v6 host(address.to_v6(), 128);
      return host == network || host.is_subnet_of(network);
    };
    return address.is_v4() ? std::any_of(v4.begin(), v4.end(), is_v4)
                           : std::any_of(v6.begin(), v6.end(), is_v6);
  }

  std::vector<ip::network_v4> v4;
  std::vector<ip::network_v6> v6;
};

TrustedProxies::TrustedProxies() : networks_(std::make_unique<const Networks>()) {}
TrustedProxies::~TrustedProxies() = default;
TrustedProxies::TrustedProxies(TrustedProxies&&) noexcept = default;
TrustedProxies& TrustedProxies::operator=(TrustedProxies&&) noexcept = default;

absl::StatusOr<TrustedProxies> TrustedProxies::Of(const std::vector<std::string>& networks) {
  auto read = std::make_unique<Networks>();
  for (const std::string& text : networks) {
    boost::system::error_code is_no_v4;
    boost::system::error_code is_no_v6;
    const bool has_length = absl::StrContains(text, "/");
    const ip::network_v4 v4 =
        ip::make_network_v4(has_length ? text : absl::StrCat(text, "/32"), is_no_v4);
    if (!is_no_v4) {
      read->v4.push_back(v4.canonical());
      continue;
    }
    const ip::network_v6 v6 =
        ip::make_network_v6(has_length ? text : absl::StrCat(text, "/128"), is_no_v6);
    if (is_no_v6) {
      return absl::InvalidArgumentError(
          absl::StrCat("trusted_proxies: \"", text,
                       "\" is no network like 10.0.0.0/8 or fd00::/8, and no address"));
    }
    read->v6.push_back(v6.canonical());
  }
  TrustedProxies proxies;
  proxies.networks_ = std::move(read);
  return proxies;
}

std::string TrustedProxies::ClientOf(std::string_view peer, const HttpFields& headers) const {
  if (networks_->v4.empty() && networks_->v6.empty()) return std::string(peer);
  std::optional<ip::address> last = ReadAddress(absl::string_view(peer.data(), peer.size()));
  if (!last || !networks_->Have(*last)) return std::string(peer);
  for (const absl::string_view text : Forwarded(headers)) {
    const std::optional<ip::address> before = ReadForwarded(text);
    if (!before) break;
    last = before;
    if (!networks_->Have(*before)) break;
  }
  return last->to_string();
}

std::string CountedAddress(std::string_view address) {
  const std::optional<ip::address> read =
      ReadAddress(absl::string_view(address.data(), address.size()));
  if (!read || read->is_v4()) return read ? read->to_string() : std::string(address);
  return ip::network_v6(read->to_v6(), kCountedPrefixBits).canonical().to_string();
}

}  // namespace sessioncast::engineio
