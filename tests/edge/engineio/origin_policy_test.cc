#include "edge/engineio/origin_policy.h"

#include "gtest/gtest.h"

namespace sessioncast::engineio {
namespace {

OriginVerdict Judge(const OriginPolicy& policy, std::string origin) {
  return JudgeOrigin(policy, {{"Host", "app.example:8080"}, {"Origin", std::move(origin)}});
}

TEST(OriginPolicyTest, AProgramWithoutOriginIsAllowed) {
  EXPECT_EQ(JudgeOrigin({}, {{"Host", "a"}}), OriginVerdict::kAllowed);
  EXPECT_TRUE(CorsFields({}, {{"Host", "a"}}).empty());
}

TEST(OriginPolicyTest, TheDefaultIsTheServersOwnOriginAndLoopback) {
  for (const char* origin :
       {"http://app.example:8080", "https://APP.example:8080", "http://localhost",
        "http://localhost:5173", "https://127.0.0.1:1", "http://127.1.2.3", "http://[::1]:3000"}) {
    EXPECT_EQ(Judge({}, origin), OriginVerdict::kAllowed) << origin;
  }
  for (const char* origin :
       {"http://app.example", "http://evil.example", "null", "http://localhost.evil.example",
        "http://127.0.0.1.evil.example", "file://localhost", "localhost", "",
        "http://[::1].evil.example", "http://127.evil.example.x"}) {
    EXPECT_EQ(Judge({}, origin), OriginVerdict::kForbidden) << origin;
  }
}

TEST(OriginPolicyTest, AListIsKeptToTheLetter) {
  OriginPolicy policy{{"https://a.example"}, OriginPolicy::Default::kListOnly};
  EXPECT_EQ(Judge(policy, "https://a.example"), OriginVerdict::kAllowed);
  EXPECT_EQ(Judge(policy, "http://a.example"), OriginVerdict::kForbidden);
  EXPECT_EQ(Judge(policy, "http://localhost"), OriginVerdict::kForbidden);
}

TEST(OriginPolicyTest, TwoOriginsAreForbiddenAndControlCharactersMalformed) {
  const HttpFields two = {{"Origin", "http://localhost"}, {"origin", "http://localhost"}};
  EXPECT_EQ(JudgeOrigin({}, two), OriginVerdict::kForbidden);
  EXPECT_EQ(Judge({}, "http://\x80"), OriginVerdict::kMalformed);
}

TEST(OriginPolicyTest, AnAllowedOriginIsEchoedWithCredentials) {
  const HttpFields fields = CorsFields({}, {{"Origin", "http://localhost:1"}});
  EXPECT_EQ(FindField(fields, "Access-Control-Allow-Origin"), "http://localhost:1");
  EXPECT_EQ(FindField(fields, "Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(FindField(fields, "Vary"), "Origin");
}

}  // namespace
}  // namespace sessioncast::engineio
