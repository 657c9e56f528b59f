// fuzz_<target> --seeds_to=DIR ...: writes the target's seeds there before libFuzzer, which passes
// over flags with two dashes, reads its corpus.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (sessioncast::fuzz::PrintReached) {
    std::atexit([] { (void)sessioncast::fuzz::PrintReached(); });
  }
  constexpr std::string_view kFlag = "--seeds_to=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.substr(0, kFlag.size()) != kFlag) continue;
    const std::string directory(argument.substr(kFlag.size()));
    int number = 0;
    for (const std::string& seed : sessioncast::fuzz::Seeds()) {
      const std::string path = directory + "/seed_" + std::to_string(number++);
      std::ofstream file(path, std::ios::binary);
      if (!(file << seed).flush()) std::perror(path.c_str());
    }
  }
  return 0;
}
