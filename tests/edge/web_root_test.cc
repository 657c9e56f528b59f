#include "edge/web_root.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sessioncast::edge {
namespace {

namespace fs = std::filesystem;

class WebRootTest : public testing::Test {
 protected:
  WebRootTest() {
    Write("root/index.html", "<p>mine</p>");
    options_.directory = directory_ / "root";
  }
  ~WebRootTest() override { fs::remove_all(directory_); }

  void Write(const std::string& name, const std::string& text) const {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
  }
  std::map<std::string, WebFile> Files() const {
    auto files = ReadWebRoot(options_);
    EXPECT_TRUE(files.ok()) << files.status();
    return files.ok() ? *std::move(files) : std::map<std::string, WebFile>();
  }
  std::string Why() const { return std::string(ReadWebRoot(options_).status().message()); }

  const fs::path directory_ =
      fs::path(testing::TempDir()) / ("web_root_test." + std::to_string(getpid()));
  WebRootOptions options_;
};

TEST_F(WebRootTest, EachFileIsAtItsPathWithItsType) {
  Write("root/assets/App.JS", "1");
  Write("root/assets/a b%#é.css", "2");
  Write("root/docs/index.html", "3");
  Write("root/data", std::string("\0\n\xff", 3));
  Write("root/.env", "secret");
  Write("root/.git/config.js", "secret");
  const auto files = Files();
  std::vector<std::string> paths;
  for (const auto& [path, file] : files) paths.push_back(path);
  EXPECT_EQ(paths, std::vector<std::string>({"/", "/assets/App.JS", "/assets/a%20b%25%23%C3%A9.css",
                                             "/data", "/docs/", "/docs/index.html", "/index.html"}));
  EXPECT_EQ(files.at("/").body, "<p>mine</p>");
  EXPECT_EQ(files.at("/").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(files.at("/assets/App.JS").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(files.at("/data").content_type, "application/octet-stream");
  EXPECT_EQ(files.at("/data").body, std::string("\0\n\xff", 3));
  EXPECT_EQ(files.at("/docs/").body, "3");
}

TEST_F(WebRootTest, ALinkWithinItIsServedAndOneOutOfItIsAnError) {
  Write("root/a.txt", "a");
  Write("root/more/b.txt", "b");
  fs::create_symlink("a.txt", directory_ / "root/link.txt");
  fs::create_directory_symlink("more", directory_ / "root/again");
  auto files = Files();
  EXPECT_EQ(files.at("/link.txt").body, "a");
  EXPECT_FALSE(files.contains("/again/b.txt"));  // a directory has one path

  Write("root-of-another/secret.txt", "s");
  for (const char* target : {"../root-of-another/secret.txt", "../root-of-another", "/etc/passwd", "/", ".."}) {
    fs::create_symlink(target, directory_ / "root/out");
    EXPECT_EQ(Why(), "--web_root=" + options_.directory + ": out: a link that leads out of it") << target;
    fs::remove(directory_ / "root/out");
  }
  fs::create_symlink("nowhere", directory_ / "root/dangling");
  EXPECT_NE(Why().find("dangling: "), std::string::npos) << Why();
}

TEST_F(WebRootTest, WhatCannotBeServedIsNamedWithTheFlag) {
  const std::string root = options_.directory;
  for (const std::string& directory :
       {root + "/nothing", root + "/index.html", (directory_ / "empty").string()}) {
    fs::create_directories(directory_ / "empty");
    options_.directory = directory;
    EXPECT_EQ(Why().find("--web_root=" + directory + ": "), 0U) << Why();
  }
  EXPECT_NE(Why().find("there is no index.html in it"), std::string::npos) << Why();
}

TEST_F(WebRootTest, ItIsBoundedInBytesAndFiles) {
  Write("root/a.bin", std::string(200'000, 'a'));
  options_.bytes_max = 200'011;
  EXPECT_EQ(Files().at("/a.bin").body.size(), 200'000U);
  options_.bytes_max = 200'010;
  EXPECT_NE(Why().find("more than 200010 bytes (--web_root_bytes_max)"), std::string::npos) << Why();
  options_.bytes_max = 1'000'000;
  options_.files_max = 1;
  EXPECT_NE(Why().find("has more than 1 files"), std::string::npos) << Why();
}

}  // namespace
}  // namespace sessioncast::edge
