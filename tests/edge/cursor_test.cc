// The cursor of a recovering client, and who it is.
#include "edge/cursor.h"

#include "edge/recovery.h"
#include "gtest/gtest.h"

namespace sessioncast::edge {
namespace {

using Kind = Place::Kind;

TEST(CursorTest, WhatIsWrittenIsRead) {
  const std::vector<CursorEntry> entries = {
      {"550e8400-e29b-41d4-a716-446655440000", {Kind::kAfter, {"k3JxQ0aB", 1234}}},
      {"b", {Kind::kFold, {"k3JxQ0a-", 0}}},
      {"c:1._", {Kind::kAfter, {"", 0}}},
      {"d", {Kind::kAfter, {"k3JxQ0aB", INT64_MAX}}}};
  Cursor cursor;
  for (const CursorEntry& entry : entries) {
    cursor.Set(entry.session_id, EntryText(entry.session_id, entry.place));
    EXPECT_LE(EntryText(entry.session_id, entry.place).size() + 1, EntryBytesMax(entry.session_id));
  }
  EXPECT_EQ(cursor.Text(),
            "1;550e8400-e29b-41d4-a716-446655440000~k3JxQ0aB~1234;b~k3JxQ0a-~0*;c:1._~-~0;"
            "d~k3JxQ0aB~9223372036854775807");
  EXPECT_EQ(ReadCursor(cursor.Text()), entries);
}

TEST(CursorTest, ACursorOfNoSessionHasNoEntries) {
  EXPECT_EQ(Cursor().Text(), "1");
  EXPECT_EQ(ReadCursor("1"), std::vector<CursorEntry>{});
}

TEST(CursorTest, WhatIsMalformedIsNoCursor) {
  for (const char* text :
       {"", "2", "0;a~k3JxQ0aB~1", "1a~k3JxQ0aB~1", "1;", "1;a", "1;a~k3JxQ0aB", "1;a~k3JxQ0aB~",
        "1;a~k3JxQ0aB~01", "1;a~k3JxQ0aB~-1", "1;a~k3JxQ0aB~+1", "1;a~k3JxQ0aB~1x",
        "1;a~k3JxQ0aB~1**", "1;a~k3JxQ0a~1", "1;a~k3JxQ0a+~1", "1;a~-~1", "1;a~-~0*",
        "1;a~k3JxQ0aB~9223372036854775808", "1;a~k3JxQ0aB~99999999999999999999", "1;~k3JxQ0aB~1",
        "1;__proto__~k3JxQ0aB~1", "1;a b~k3JxQ0aB~1", "1;a~k3JxQ0aB~1;", "1;a~k3JxQ0aB~1;;",
        "1;a~k3JxQ0aB~1;a~k3JxQ0aB~2", " 1;a~k3JxQ0aB~1", "1;a~k3JxQ0aB~ 1"}) {
    EXPECT_EQ(ReadCursor(text), std::nullopt) << text;
  }
}

std::string CursorOf(int entries, size_t id_bytes) {
  std::string text = "1";
  for (int i = 0; i < entries; ++i) {
    std::string id = std::to_string(i);
    text += ";" + id + std::string(id_bytes - id.size(), 'x') + "~k3JxQ0aB~1";
  }
  return text;
}

TEST(CursorTest, AHundredEntriesAnd8192CharactersAreTheLimits) {
  EXPECT_EQ(ReadCursor(CursorOf(100, 10))->size(), 100U);
  EXPECT_EQ(ReadCursor(CursorOf(101, 10)), std::nullopt);
  std::string text = CursorOf(58, 127);
  EXPECT_LE(text.size(), kCursorBytesMax);
  EXPECT_TRUE(ReadCursor(text).has_value());
  EXPECT_EQ(ReadCursor(CursorOf(59, 127)), std::nullopt);
}

TEST(CursorTest, AMoveThatIsTakenBackLeavesNoTrace) {
  Cursor cursor;
  const CursorMove subscribed = {CursorMove::Of::kNotice, "a", {}, "a~k3JxQ0aB~0", ""};
  const CursorMove event = {CursorMove::Of::kEvent, "a", {}, "a~k3JxQ0aB~1", "a~k3JxQ0aB~0"};
  cursor.Move(subscribed);
  cursor.Move(event);
  EXPECT_EQ(cursor.Text(), "1;a~k3JxQ0aB~1");
  cursor.TakeBack(event);
  EXPECT_EQ(cursor.Text(), "1;a~k3JxQ0aB~0");
  cursor.TakeBack(subscribed);
  EXPECT_EQ(cursor.Text(), "1");
}

TEST(RecoveryTest, APidBelongsToItsSubject) {
  const std::string pid = FreshPid("alice");
  EXPECT_EQ(pid.size(), 32U);
  EXPECT_TRUE(IsPidOf(pid, "alice"));
  EXPECT_FALSE(IsPidOf(pid, "bob"));
  EXPECT_NE(pid, FreshPid("alice"));
  EXPECT_EQ(SocketIdOf(pid, "alice").size(), 20U);
  EXPECT_EQ(SocketIdOf(pid, "alice"), SocketIdOf(pid, "alice"));
  EXPECT_NE(SocketIdOf(pid, "alice"), SocketIdOf(pid, "bob"));
}

TEST(RecoveryTest, APidThatNobodyMadeIsNone) {
  const std::string pid = FreshPid("");
  for (std::string text : {std::string(), std::string(32, 'A'), pid.substr(1), pid + "=",
                           pid + "A", " " + pid.substr(1), std::string(1'000'000, 'A')}) {
    EXPECT_FALSE(IsPidOf(text, "")) << text.substr(0, 40);
  }
}

socketio::Handshake From(const std::string& agent, socketio::Json auth) {
  socketio::Handshake handshake;
  handshake.headers = {{"User-Agent", agent}};
  handshake.auth = std::move(auth);
  return handshake;
}

TEST(RecoveryTest, BrowsersAndWhoeverAsksForItRecover) {
  using socketio::Json;
  EXPECT_TRUE(WantsRecovery(From("Mozilla/5.0 (X11)", Json::object())));
  EXPECT_TRUE(WantsRecovery(From("curl", {{"recovery", true}})));
  EXPECT_TRUE(WantsRecovery(From("", {{"pid", "x"}})));
  EXPECT_FALSE(WantsRecovery(From("Mozilla/5.0", {{"recovery", false}})));
  EXPECT_FALSE(WantsRecovery(From("", {{"pid", "x"}, {"recovery", false}})));
  EXPECT_FALSE(WantsRecovery(From("python-socketio", Json::object())));
  EXPECT_FALSE(WantsRecovery(From("", {{"recovery", "true"}})));
}

TEST(RecoveryTest, WhoComesBackHasAPidAndACursorWithAnEntry) {
  using socketio::Json;
  const std::string pid = FreshPid("");
  const auto returning = ReadReturning({{"pid", pid}, {"offset", "1;a~k3JxQ0aB~1"}}, "");
  ASSERT_TRUE(returning.has_value());
  EXPECT_EQ(returning->pid, pid);
  EXPECT_EQ(returning->entries.size(), 1U);
  for (const Json& auth : {Json{{"pid", pid}}, Json{{"pid", pid}, {"offset", "1"}},
                           Json{{"pid", pid}, {"offset", 1}}, Json{{"offset", "1;a~k3JxQ0aB~1"}},
                           Json{{"pid", 5}, {"offset", "1;a~k3JxQ0aB~1"}}}) {
    EXPECT_FALSE(ReadReturning(auth, "").has_value()) << auth;
  }
}

}  // namespace
}  // namespace sessioncast::edge
