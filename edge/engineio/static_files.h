// Files served from memory under the server's path, as the reference serves its client bundle.
// Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "edge/engineio/http.h"

namespace sessioncast::engineio {

struct StaticFile {
  std::string content_type;
  std::string body;
};

struct StaticFiles {
  std::map<std::string, StaticFile> files;  // by name
  std::string version;                      // their ETag
};

// Answers a GET or HEAD of a file with this name: 200, or 304 if the client has it; nothing if
// there is no such file.
std::optional<HttpResponse> ServeFile(const StaticFiles& files, std::string_view name,
                                      const HttpRequest& request);

}  // namespace sessioncast::engineio
