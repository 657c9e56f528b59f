// A directory for a store that is measured, beside the program, since /tmp may be memory; removed
// at the end.
//
// Threads: one.
#pragma once

#include <string>

namespace sessioncast::bench {

class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sessioncast::bench
