// Where a token is looked for, and what it opens. Tokens themselves: tests/access.
#include "edge/access.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace sessioncast::edge {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class AccessTest : public testing::Test {
 protected:
  AccessTest() {
    std::ofstream(file_) << std::string(32, 's');
    options_.tokens.tokens.keys = {{"k", access::Algorithm::kHs256, file_}};
  }
  ~AccessTest() override { std::filesystem::remove(file_); }

  std::unique_ptr<Access> Load() const {
    auto access = Access::Load(options_);
    EXPECT_TRUE(access.ok()) << access.status();
    return *std::move(access);
  }
  std::string Token(access::Claims claims = {.issuer = "us",
                                             .subject = "me",
                                             .sessions = {"job-1"},
                                             .verbs = {"view"},
                                             .expiry = kNow + absl::Minutes(5)}) const {
    return access::SignToken(options_.tokens.tokens.keys[0], {std::move(claims), "", kNow}).value();
  }
  static socketio::Handshake With(socketio::Json auth, engineio::HttpFields headers = {},
                                  engineio::HttpFields query = {}) {
    socketio::Handshake handshake;
    handshake.auth = std::move(auth);
    handshake.headers = std::move(headers);
    handshake.query = std::move(query);
    return handshake;
  }

  const std::string file_ = testing::TempDir() + "access_test_secret." + std::to_string(getpid());
  AccessOptions options_;
};

TEST_F(AccessTest, WithoutKeysNobodyIsAsked) {
  const Access access;
  EXPECT_FALSE(access.asks());
  const auto permit = access.OfHandshake(With({{"token", 5}}), kNow);
  ASSERT_TRUE(permit.ok());
  EXPECT_TRUE(permit->Covers("any") && permit->May("any") && MayConnect(*permit));
  EXPECT_EQ(permit->identity(), "");
  EXPECT_EQ(permit->expiry(), absl::InfiniteFuture());
}

TEST_F(AccessTest, ATokenIsInAuthElseInAuthorizationElseWhereAllowedInTheQuery) {
  const std::string good = Token();
  const socketio::Json none = socketio::Json::object();
  struct Row {
    const char* what;
    socketio::Handshake handshake;
    bool is_good;
    bool is_good_with_query;
  };
  const std::vector<Row> rows = {
      {"nothing", With(none), false, false},
      {"auth", With({{"token", good}}), true, true},
      {"auth, of another type", With({{"token", {good}}}), false, false},
      {"auth is null, header good", With({{"token", nullptr}}, {{"Authorization", "Bearer " + good}}),
       false, false},
      {"auth is bad, header good", With({{"token", "x"}}, {{"Authorization", "Bearer " + good}}),
       false, false},
      {"header", With(none, {{"authorization", "bearer " + good}}), true, true},
      {"header of another scheme", With(none, {{"Authorization", "Basic " + good}}), false, false},
      {"header without scheme", With(none, {{"Authorization", good}}), false, false},
      {"header with nothing", With(none, {{"Authorization", "Bearer "}}), false, false},
      {"query", With(none, {}, {{"token", good}}), false, true},
      {"header is bad, query good", With(none, {{"Authorization", "Bearer x"}}, {{"token", good}}),
       false, false},
      {"query of another name", With(none, {}, {{"Token", good}}), false, false},
  };
  const auto by_default = Load();
  options_.token_in_query = true;
  const auto with_query = Load();
  for (const Row& row : rows) {
    const auto permit = by_default->OfHandshake(row.handshake, kNow);
    EXPECT_EQ(permit.ok(), row.is_good) << row.what;
    EXPECT_TRUE(row.is_good || absl::IsUnauthenticated(permit.status())) << row.what;
    EXPECT_EQ(with_query->OfHandshake(row.handshake, kNow).ok(), row.is_good_with_query) << row.what;
  }
}

TEST_F(AccessTest, WhatIsRefusedSaysNoMoreThanTheTokensHolderKnows) {
  const Permit permit = Load()->OfToken(Token(), kNow).value();
  EXPECT_EQ(WhyNotView(permit, "job-1"), "");
  EXPECT_EQ(WhyNotAnswer(permit, "job-1"), "the token's verbs do not have 'answer'");
  EXPECT_EQ(WhyNotView(permit, "job-2"), "the token does not cover this session");
  EXPECT_EQ(WhyNotAnswer(permit, "job-2"), WhyNotView(permit, "job-2"));
  EXPECT_EQ(WhyNotList(permit), "the token's verbs do not have 'list'");
  EXPECT_EQ(WhyNotList(Load()->OfToken(Token({"", "", {}, {"list"}, kNow + absl::Minutes(5)}), kNow).value()),
            "");
  EXPECT_EQ(permit.expiry(), kNow + absl::Minutes(5));
}

TEST_F(AccessTest, ATokenThatIsGoodForNothingHereDoesNotConnect) {
  const auto access = Load();
  const auto may_connect = [&](std::vector<std::string> verbs) {
    return MayConnect(
        access->OfToken(Token({"", "", {"*"}, std::move(verbs), kNow + absl::Minutes(5)}), kNow)
            .value());
  };
  EXPECT_TRUE(may_connect({"view"}));
  EXPECT_TRUE(may_connect({"answer"}));
  EXPECT_FALSE(may_connect({}));
  EXPECT_FALSE(may_connect({"publish", "stream", "attach", "admin", "list", "View"}));
}

TEST_F(AccessTest, AnIdentityIsIssuerAndSubject) {
  const auto access = Load();
  const auto identity = [&](std::string issuer, std::string subject) {
    return access->OfToken(Token({issuer, subject, {}, {}, kNow + absl::Minutes(5)}), kNow)
        .value()
        .identity();
  };
  EXPECT_EQ(identity("us", "me"), identity("us", "me"));
  EXPECT_NE(identity("us", "me"), identity("us", "you"));
  EXPECT_NE(identity("us", "me"), identity("usm", "e"));
  EXPECT_NE(identity("", ""), "");
}

TEST_F(AccessTest, AKeyThatCannotBeUsedIsNamed) {
  options_.tokens.tokens.keys[0].file = "/nothing/is/here";
  EXPECT_NE(Access::Load(options_).status().message().find("/nothing/is/here"), std::string::npos);
}

}  // namespace
}  // namespace sessioncast::edge
