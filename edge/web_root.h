// The files of a directory, served in place of the page that is compiled in.
//
// All of it is read at the start: a request finds a file by its whole path or it finds none, so no
// path leads anywhere else, and what is served does not change under a client.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "edge/web_files.h"

namespace sessioncast::edge {

struct WebRootOptions {
  std::string directory;  // "": the page that is compiled in
  size_t bytes_max = 64 * 1024 * 1024;
  size_t files_max = 10'000;
};

// By path, as a browser writes it in a request; index.html also as its directory's. What begins
// with a dot is left out. The error names the flag, and the file where there is one.
absl::StatusOr<std::map<std::string, WebFile>> ReadWebRoot(const WebRootOptions& options);

}  // namespace sessioncast::edge
