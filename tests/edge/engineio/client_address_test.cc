#include "edge/engineio/client_address.h"

#include "gtest/gtest.h"

namespace sessioncast::engineio {
namespace {

TrustedProxies Proxies(const std::vector<std::string>& networks) {
  absl::StatusOr<TrustedProxies> proxies = TrustedProxies::Of(networks);
  EXPECT_TRUE(proxies.ok()) << proxies.status();
  return *std::move(proxies);
}

HttpFields For(std::string value) { return {{"X-Forwarded-For", std::move(value)}}; }

TEST(ClientAddressTest, WithoutTrustedProxiesThePeerIsTheClientWhateverItSays) {
  EXPECT_EQ(TrustedProxies().ClientOf("10.0.0.1", For("192.0.2.7")), "10.0.0.1");
  EXPECT_EQ(Proxies({"10.0.0.0/8"}).ClientOf("11.0.0.1", For("192.0.2.7")), "11.0.0.1");
}

TEST(ClientAddressTest, TheRightMostAddressThatIsNoProxysIsTheClients) {
  const TrustedProxies proxies = Proxies({"10.0.0.0/8", "fd00::/8", "::1"});
  struct Row {
    const char* peer;
    const char* forwarded;
    const char* client;
  };
  for (const Row& row : std::vector<Row>{
           {"10.0.0.1", "192.0.2.7", "192.0.2.7"},
           {"10.0.0.1", "198.51.100.1, 192.0.2.7", "192.0.2.7"},  // what stands left was the client's word
           {"10.0.0.1", "192.0.2.7, 10.9.9.9,10.0.0.2", "192.0.2.7"},
           {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},  // all are proxies
           {"10.0.0.1", "", "10.0.0.1"},
           {"10.0.0.1", "192.0.2.7, unknown", "10.0.0.1"},
           {"10.0.0.1", "192.0.2.7, <script>, 10.0.0.2", "10.0.0.2"},
           {"10.0.0.1", " 192.0.2.7:4711 ", "192.0.2.7"},
           {"10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"},
           {"10.0.0.1", "2001:DB8:0::1", "2001:db8::1"},
           {"10.0.0.1", "[2001:db8::1", "10.0.0.1"},
           {"10.0.0.1", "fe80::1%eth0", "10.0.0.1"},
           {"::1", "192.0.2.7", "192.0.2.7"},
           {"fd12::5", "::ffff:192.0.2.7", "192.0.2.7"},
           {"::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"},
           {"::2", "192.0.2.7", "::2"}}) {
    EXPECT_EQ(proxies.ClientOf(row.peer, For(row.forwarded)), row.client)
        << row.peer << " says " << row.forwarded;
  }
  EXPECT_EQ(proxies.ClientOf("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(proxies.ClientOf("10.0.0.1", {{"x-forwarded-for", "192.0.2.7"},
                                          {"X-Forwarded-For", "10.0.0.2"}}),
            "192.0.2.7")
      << "two fields are one list";
}

TEST(ClientAddressTest, NetworksAreReadWithTheirLengthOrAsOneAddress) {
  EXPECT_EQ(Proxies({"10.1.2.3/8"}).ClientOf("10.200.0.1", For("192.0.2.7")), "192.0.2.7");
  EXPECT_EQ(Proxies({"0.0.0.0/0"}).ClientOf("203.0.113.9", For("192.0.2.7")), "192.0.2.7");
  EXPECT_EQ(Proxies({"10.1.2.3"}).ClientOf("10.1.2.4", For("192.0.2.7")), "10.1.2.4");
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "proxy.example", "10.0.0.0/", "/8"}) {
    const absl::StatusOr<TrustedProxies> proxies = TrustedProxies::Of({"10.0.0.0/8", bad});
    ASSERT_FALSE(proxies.ok()) << bad;
    EXPECT_NE(proxies.status().message().find(std::string("trusted_proxies: \"") + bad + "\""),
              absl::string_view::npos)
        << proxies.status();
  }
}

TEST(ClientAddressTest, IPv6IsCountedByItsNetwork) {
  EXPECT_EQ(CountedAddress("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(CountedAddress("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(CountedAddress("2001:db8:1:2:3:4:5:6"), CountedAddress("2001:db8:1:2::9"));
  EXPECT_NE(CountedAddress("2001:db8:1:2::9"), CountedAddress("2001:db8:1:3::9"));
  EXPECT_EQ(CountedAddress("whatever"), "whatever");
}

}  // namespace
}  // namespace sessioncast::engineio
