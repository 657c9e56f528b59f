#include "bench/micro/scratch_directory.h"

#include <stdlib.h>

#include <cstdio>
#include <filesystem>

namespace sessioncast::bench {

ScratchDirectory::ScratchDirectory() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  path_ = (program.parent_path() / "bench_micro.XXXXXX").string();
  if (mkdtemp(path_.data()) != nullptr) return;
  std::perror(path_.c_str());
  std::exit(1);
}

ScratchDirectory::~ScratchDirectory() { std::filesystem::remove_all(path_); }

}  // namespace sessioncast::bench
