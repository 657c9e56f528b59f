#include "tools/access/flags.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace sessioncast::access {
namespace {

// Parses `arguments`; the error's text, "" if there is none.
std::string Parse(std::vector<std::string> arguments, Options& options) {
  CLI::App app;
  AddFlags(app, options);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return {};
}

TEST(AccessFlagsTest, KeysComeOneAfterTheOtherOrWithCommas) {
  Options options;
  ASSERT_EQ(Parse({"--token_key=a:HS256:/a", "--token_key", "b:RS256:/b,c:ES256:/c",
                   "--token_issuer=us", "--token_audience=them"},
                  options),
            "");
  ASSERT_EQ(options.tokens.keys.size(), 3u);
  EXPECT_EQ(options.tokens.keys[0].kid, "a");
  EXPECT_EQ(options.tokens.keys[1].file, "/b");
  EXPECT_EQ(options.tokens.keys[2].algorithm, Algorithm::kEs256);
  EXPECT_EQ(options.tokens.issuer, "us");
  EXPECT_EQ(options.tokens.audience, "them");
  EXPECT_FALSE(options.insecure_listen);
}

TEST(AccessFlagsTest, AKeyThatIsNoneIsRefusedWithItsFlag) {
  Options options;
  const std::string error = Parse({"--token_key=a:none:/a"}, options);
  EXPECT_NE(error.find("--token_key"), std::string::npos) << error;
  EXPECT_NE(error.find("HS256, RS256 or ES256"), std::string::npos) << error;
}

TEST(AccessFlagsTest, WithoutAKeyNobodyIsAskedAndAMissingFileIsAnError) {
  Options options;
  auto verifier = LoadVerifier(options);
  ASSERT_TRUE(verifier.ok());
  EXPECT_EQ(*verifier, nullptr);
  options.tokens.keys.push_back({"a", Algorithm::kHs256, "/nothing/is/here"});
  EXPECT_NE(LoadVerifier(options).status().message().find("/nothing/is/here"), std::string::npos);
}

TEST(AccessFlagsTest, LoopbackIsWhatOtherMachinesCannotReach) {
  for (const char* loopback :
       {"localhost:3000", "127.0.0.1:0", "127.9.9.9:1", "[::1]:50051", "::1:50051"}) {
    EXPECT_TRUE(CheckIsLoopback("http_listen", loopback).ok()) << loopback;
  }
  for (const char* open : {"0.0.0.0:3000", "[::]:3000", ":3000", "10.0.0.1:3000", "example.org:80",
                           "128.0.0.1:1", "localhost.example.org:1", "127.0.0.1.example.org:1",
                           "[::ffff:10.0.0.1]:1", "3000", ""}) {
    const absl::Status status = CheckIsLoopback("http_listen", open);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << open;
    EXPECT_NE(status.message().find("--http_listen="), std::string::npos);
    EXPECT_NE(status.message().find("--insecure_listen"), std::string::npos);
  }
}

}  // namespace
}  // namespace sessioncast::access
