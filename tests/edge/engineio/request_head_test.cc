#include "edge/engineio/request_head.h"

#include "gtest/gtest.h"

namespace sessioncast::engineio {
namespace {

constexpr size_t kBytesMax = 8'192;

// 0: it is read; -1: more is needed; else the status.
int StatusOf(std::string_view bytes) {
  const auto parsed = ParseHead(bytes, kBytesMax);
  if (std::holds_alternative<PartialHead>(parsed)) return -1;
  if (const BadHead* bad = std::get_if<BadHead>(&parsed)) return static_cast<int>(bad->status);
  return 0;
}

std::string WithFields(const std::string& fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

TEST(RequestHeadTest, ReadsARequest) {
  const std::string bytes =
      "GET /a%20b?x=1+2&y=%41&x=3&z HTTP/1.1\r\nHost: h:1\r\nX-A:  v \r\n\r\nrest";
  const auto parsed = ParseHead(bytes, kBytesMax);
  ASSERT_TRUE(std::holds_alternative<ReadHead>(parsed));
  const ReadHead& read = std::get<ReadHead>(parsed);
  EXPECT_EQ(read.bytes, bytes.size() - 4);
  EXPECT_EQ(read.head.request.method, "GET");
  EXPECT_EQ(read.head.request.path, "/a%20b");
  EXPECT_EQ(FindField(read.head.request.headers, "x-a"), "v");
  EXPECT_EQ(read.head.request.query, (HttpFields{{"x", "1 2"}, {"y", "A"}, {"x", "3"}, {"z", ""}}));
  EXPECT_EQ(LastParameter(read.head.request.query, "x"), "3");
  EXPECT_TRUE(read.head.keep_alive);
}

TEST(RequestHeadTest, RefusesWhatAProxyCouldReadOtherwise) {
  const struct {
    std::string bytes;
    int status;
  } rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: a\r\n", -1},
      {"GET / HTTP/1.0\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\n b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET /\r\n\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29), 400},
      {WithFields("Content-Length: 5\r\n"), 0},
      {WithFields("Content-Length: -1\r\n"), 400},
      {WithFields("Content-Length: +5\r\n"), 400},
      {WithFields("Content-Length: 5, 5\r\n"), 400},
      {WithFields("Content-Length:\r\n"), 400},
      {WithFields("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
      {WithFields("Content-Length: 99999999999999999999\r\n"), 400},
      {WithFields("Transfer-Encoding: chunked\r\n"), 411},
      {WithFields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {"GET /" + std::string(kBytesMax, 'a'), 414},
      {"GET /" + std::string(kBytesMax, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {WithFields("X: " + std::string(kBytesMax, 'a') + "\r\n"), 431},
      {WithFields("X: " + std::string(kBytesMax, 'a')), 431},
  };
  for (const auto& row : rows)
    EXPECT_EQ(StatusOf(row.bytes), row.status) << row.bytes.substr(0, 80);
}

TEST(RequestHeadTest, OtherProtocolsAreKnownByTheirFirstBytes) {
  EXPECT_EQ(OtherProtocol("\x16\x03\x01\x02"), "TLS");
  EXPECT_EQ(OtherProtocol("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HTTP/2");
  EXPECT_EQ(OtherProtocol("\r\nGET / HTTP/1.1\r\n"), "not HTTP");
  EXPECT_EQ(OtherProtocol("PRI"), "");
  EXPECT_EQ(OtherProtocol("GET / HTTP/1.1\r\n"), "");
  EXPECT_EQ(OtherProtocol(""), "");
}

TEST(RequestHeadTest, AThousandFieldsAreTooMany) {
  std::string fields;
  for (int i = 0; i < 1000; ++i) fields += "a:b\r\n";
  EXPECT_EQ(StatusOf(WithFields(fields)), 431);
}

TEST(RequestHeadTest, AHundredFieldsAreAllowedAndNotOneMore) {
  std::string fields;
  while (true) {
    const auto parsed = ParseHead(WithFields(fields), 8'192);
    const auto* read = std::get_if<ReadHead>(&parsed);
    if (read == nullptr) break;
    if (read->head.request.headers.size() == kHeaderFieldsMax) {
      EXPECT_EQ(StatusOf(WithFields(fields + "a:b\r\n")), 431);
      return;
    }
    fields += "a:b\r\n";
  }
  FAIL() << "a hundred fields were refused";
}

TEST(RequestHeadTest, AFieldHasALimitEvenWhereHeadersHaveNone) {
  const auto parse = [](size_t value_bytes) {
    return ParseHead(WithFields("X: " + std::string(value_bytes, 'a') + "\r\n"), 10'000'000);
  };
  EXPECT_TRUE(std::holds_alternative<ReadHead>(parse(65'529)));
  for (const size_t bytes : {size_t{65'530}, size_t{70'000}, size_t{1'000'000}}) {
    const auto parsed = parse(bytes);
    ASSERT_TRUE(std::holds_alternative<BadHead>(parsed)) << bytes;
    EXPECT_EQ(std::get<BadHead>(parsed).status, 431u) << bytes;
  }
}

TEST(RequestHeadTest, EveryPrefixOfARequestNeedsMore) {
  const std::string bytes = "GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n";
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(StatusOf(std::string_view(bytes).substr(0, size)), -1) << size;
  }
}

TEST(RequestHeadTest, PathsThatCouldMeanAnotherAreSuspicious) {
  for (const std::string_view path :
       {"/a/../b", "/..", "/a/./b", "/%2e%2e/x", "/a/%2E%2e", "/a%00", "/a/..%2fb", "/a\\..\\b"}) {
    EXPECT_TRUE(IsSuspiciousPath(path)) << path;
  }
  for (const std::string_view path : {"/", "/a.b", "/...", "/a..b/", "/socket.io/"}) {
    EXPECT_FALSE(IsSuspiciousPath(path)) << path;
  }
}

}  // namespace
}  // namespace sessioncast::engineio
