// Which sessions a client's list shows, page by page, against a list that is filtered one by one.
#include "edge/session_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "nlohmann/json.hpp"
#include "proto/rules.h"
#include "tools/access/token.h"

namespace sessioncast::edge {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::string>;

// As control answers.
v1::ListSessionsResponse ListOf(const std::set<std::string>& ids,
                                const v1::ListSessionsRequest& request) {
  v1::ListSessionsResponse response;
  auto at = ids.upper_bound(request.page_token());
  for (; at != ids.end() && response.sessions_size() < request.page_size(); ++at) {
    response.add_sessions()->set_session_id(*at);
  }
  if (at != ids.end()) {
    response.set_next_page_token(response.sessions().rbegin()->session_id());
  }
  return response;
}

struct Walk {
  Ids shown;
  Ids tokens;
  size_t calls = 0;
  size_t pages = 0;
};

// All pages.
Walk WalkThrough(const std::set<std::string>& ids, const Ids* claims, size_t page_size,
                 size_t calls_max = 32) {
  Walk walk;
  std::string token;
  do {
    SessionListPage page({page_size, token}, CoveredRanges(claims), calls_max);
    while (const auto request = page.Next()) {
      ++walk.calls;
      EXPECT_TRUE(request->page_size() >= 1 && request->page_size() <= 1000);
      EXPECT_TRUE(request->page_token().empty() || CheckId("", request->page_token()).ok())
          << request->page_token();
      page.Add(ListOf(ids, *request));
    }
    const Json json = Json::parse(page.Json());
    EXPECT_LE(json["sessions"].size(), page_size);
    for (const Json& session : json["sessions"]) walk.shown.push_back(session["sessionId"]);
    token = json["nextPageToken"];
    if (!token.empty()) walk.tokens.push_back(token);
    ++walk.pages;
  } while (!token.empty() && walk.pages < 1000);
  EXPECT_LT(walk.pages, 1000U);
  return walk;
}

Ids Covered(const std::set<std::string>& ids, const Ids& claims) {
  access::Claims all;
  all.sessions = claims;
  Ids covered;
  for (const std::string& id : ids) {
    if (all.Covers(id)) covered.push_back(id);
  }
  return covered;
}

TEST(SessionListTest, WithoutATokenItIsControlsList) {
  const std::set<std::string> ids = {"a", "b", "c", "d", "e"};
  const Walk walk = WalkThrough(ids, nullptr, 2);
  EXPECT_EQ(walk.shown, Ids(ids.begin(), ids.end()));
  EXPECT_EQ(walk.tokens, Ids({"b", "d"}));
  EXPECT_EQ(walk.calls, 3U);
  EXPECT_EQ(WalkThrough({}, nullptr, 2).pages, 1U);
}

TEST(SessionListTest, AFewAmongManyAreFoundWithoutReadingTheRest) {
  std::set<std::string> ids;
  for (int i = 0; i < 20'000; ++i) ids.insert("other-" + std::to_string(i));
  ids.insert({"mine-1", "mine-2", "zebra"});
  const Ids claims = {"mine-*", "zebra", "not-there"};
  const Walk walk = WalkThrough(ids, &claims, 100);
  EXPECT_EQ(walk.shown, Ids({"mine-1", "mine-2", "zebra"}));
  EXPECT_LE(walk.calls, 3U);
}

TEST(SessionListTest, EveryPageSizeShowsWhatTheClaimsCoverAndNamesNothingElse) {
  std::minstd_rand random(7);
  const std::string letters = "-.:_0Aaz";
  const auto text = [&](size_t size_max) {
    std::string made;
    for (size_t size = random() % (size_max + 1); made.size() < size;) {
      made.push_back(letters[random() % letters.size()]);
    }
    return made;
  };
  for (int round = 0; round < 2000; ++round) {
    std::set<std::string> ids;
    for (size_t i = random() % 30; i > 0; --i) {
      std::string id = text(4);
      if (random() % 20 == 0) id.resize(kIdBytesMax, 'z');
      if (CheckId("", id).ok()) ids.insert(id);
    }
    Ids claims;
    for (size_t i = random() % 5; i > 0; --i) {
      claims.push_back(text(3) + (random() % 2 == 0 ? "*" : ""));
    }
    if (random() % 10 == 0) claims.push_back("a \xff*");
    const Ids covered = Covered(ids, claims);
    for (const size_t page_size : {1, 2, 3, 1000}) {
      const Walk walk = WalkThrough(ids, &claims, page_size, 1 + random() % 3);
      ASSERT_EQ(walk.shown, covered) << "round " << round << ", pages of " << page_size;
    }
  }
}

TEST(SessionListTest, ATokenOfAPageIsMadeOfTheClaimsAndOfWhatWasShown) {
  const Ids claims = {"a*", "m-1", "q*"};
  const std::set<std::string> ids = {"a1", "a2", "b-secret", "m-1", "n-secret", "q1"};
  for (const size_t page_size : {1, 2, 3}) {
    const Walk walk = WalkThrough(ids, &claims, page_size, 1);
    EXPECT_EQ(walk.shown, Ids({"a1", "a2", "m-1", "q1"}));
    for (const std::string& token : walk.tokens) {
      EXPECT_EQ(token.find("secret"), std::string::npos) << token;
    }
  }
}

TEST(SessionListTest, AQueryThatIsNoneIsNamedWithItsLimit) {
  const auto why = [](engineio::HttpFields query) {
    return std::string(ParseListQuery(query).status().message());
  };
  for (const char* size : {"", "0", "1001", "-1", "+5", " 5", "5x", "1e2", "99999999999999999999"}) {
    EXPECT_EQ(why({{"page_size", size}}), "page_size: must be a number from 1 to 1000") << size;
  }
  EXPECT_EQ(why({{"page_token", "a b"}}).find("page_token: "), 0U);
  EXPECT_EQ(why({{"page_token", std::string(129, 'a')}}).find("page_token: "), 0U);
  const auto query = ParseListQuery({{"page_size", "1000"}, {"page_token", "a"}, {"_", "1"}});
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(query->page_size, 1000U);
  EXPECT_EQ(query->page_token, "a");
  EXPECT_EQ(ParseListQuery({{"page_token", ""}})->page_size, 100U);
}

}  // namespace
}  // namespace sessioncast::edge
