// The files that the edge serves, compiled into it: the page, and the Socket.IO client from npm.
//
// Pure; any thread.
#pragma once

#include <map>
#include <string>

namespace sessioncast::edge {

struct WebFile {
  std::string content_type;
  std::string body;
};

// By path: "/" (the page), "/page.js" ...
std::map<std::string, WebFile> PageFiles();

// By name: "socket.io.js" ...
std::map<std::string, WebFile> ClientFiles();

// Of the npm package that ClientFiles come from: "4.8.4".
std::string ClientVersion();

}  // namespace sessioncast::edge
