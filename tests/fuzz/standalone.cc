// fuzz_<target> [--seconds=3] [--seed=N]: feeds seeds, and random changes of them, to the target
// for so long. A plain test, for compilers without libFuzzer; it knows nothing of coverage.
// fuzz_<target> FILE...: feeds these files.
//
// The inputs are fed by a child, so that the parent can say which one ended it, however it ended.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

constexpr size_t kInputBytesMax = 8'192;
constexpr size_t kPoolMax = 500;
// One input may take so long; a busy machine is not meant.
constexpr unsigned kInputSecondsMax = 120;

// What parent and child share.
struct Progress {
  uint64_t inputs;
  bool finished;
  bool missed;  // something that is to be reached
  size_t size;
  uint8_t bytes[kInputBytesMax];
};

struct Settings {
  double seconds = 3;
  uint64_t seed = std::random_device{}();
  std::vector<std::string> inputs;  // of files; none: random ones
};

// ---- random changes

using Random = std::mt19937_64;

size_t Below(Random& random, size_t limit) { return limit == 0 ? 0 : random() % limit; }

// What the formats here give a meaning to.
std::string Token(Random& random) {
  static const std::vector<std::string> kTokens = {"\x1e",
                                                   "\"",
                                                   "[",
                                                   "]",
                                                   "{",
                                                   "}",
                                                   ",",
                                                   ":",
                                                   "/",
                                                   "-",
                                                   "0",
                                                   "9",
                                                   "\\u0000",
                                                   "\\ud800",
                                                   "b",
                                                   "AAAA",
                                                   "=",
                                                   "\r\n",
                                                   "\r\n\r\n",
                                                   " ",
                                                   "%",
                                                   "\x81",
                                                   "\x80",
                                                   "\xED\xA0\x80",
                                                   "\xFF",
                                                   "\xE2",
                                                   "{\"_placeholder\":true,\"num\":0}",
                                                   "9007199254740993",
                                                   "1e999",
                                                   "-0.0",
                                                   "Content-Length: ",
                                                   std::string(1, '\0'),
                                                   "\x88\x80",
                                                   "\x7F",
                                                   "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"};
  return kTokens[Below(random, kTokens.size())];
}

void ChangeOnce(Random& random, const std::vector<std::string>& pool, std::string& input) {
  const size_t at = Below(random, input.size() + 1);
  const size_t length = Below(random, std::min<size_t>(input.size() - at, 16) + 1);
  switch (Below(random, 7)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(random());
      return;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << Below(random, 8)));
      return;
    case 2:
      input.insert(at, 1, static_cast<char>(random()));
      return;
    case 3:
      input.erase(at, length);
      return;
    case 4:
      input.insert(at, Token(random));
      return;
    case 5:
      for (size_t i = Below(random, 64); i > 0; --i) input.insert(at, input.substr(at, length));
      return;
    default: {
      const std::string& other = pool[Below(random, pool.size())];
      input = input.substr(0, at) + other.substr(Below(random, other.size() + 1));
    }
  }
}

std::string Next(Random& random, std::vector<std::string>& pool) {
  std::string input = pool[Below(random, pool.size())];
  for (size_t changes = 1 + Below(random, 4); changes > 0; --changes) {
    ChangeOnce(random, pool, input);
  }
  input.resize(std::min(input.size(), kInputBytesMax));
  // Some go on being changed.
  if (Below(random, 50) == 0 && input.size() < 512) {
    if (pool.size() < kPoolMax) {
      pool.push_back(input);
    } else {
      pool[Below(random, pool.size())] = input;
    }
  }
  return input;
}

// ---- the child

void Feed(const std::string& input, Progress& progress) {
  progress.size = std::min(input.size(), kInputBytesMax);
  std::memcpy(progress.bytes, input.data(), progress.size);
  ++progress.inputs;
  alarm(kInputSecondsMax);  // ends the process by a signal
  // A copy of its own size, so that AddressSanitizer sees a read beyond it.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

// All that the target is to reach is reached by its seeds.
void CheckReached(Progress& progress) {
  if (!PrintReached) return;
  const std::vector<std::string> missing = PrintReached();
  progress.missed = !missing.empty();
  for (const std::string& one : missing) std::fprintf(stderr, "no seed reaches: %s\n", one.c_str());
  if (progress.missed) std::exit(1);
}

void FeedAll(const Settings& settings, Progress& progress) {
  for (const std::string& input : settings.inputs) Feed(input, progress);
  if (!settings.inputs.empty()) return;
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                       std::chrono::duration<double>(settings.seconds));
  std::vector<std::string> pool = Seeds();
  for (const std::string& seed : pool) Feed(seed, progress);
  CheckReached(progress);
  Random random(settings.seed);
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 16; ++i) Feed(Next(random, pool), progress);
  }
}

// ---- the parent

void PrintInput(const Progress& progress, const char* program) {
  const absl::string_view input(reinterpret_cast<const char*>(progress.bytes), progress.size);
  std::printf("the input: \"%s\"\n", absl::CHexEscape(input).c_str());
  std::printf("reproduce: echo '%s' | base64 -d >find && %s find\n",
              absl::Base64Escape(input).c_str(), program);
}

int Report(const Settings& settings, const Progress& progress, int status, const char* program) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    std::printf("%s: %llu inputs, seed %llu\n", program,
                static_cast<unsigned long long>(progress.inputs),
                static_cast<unsigned long long>(settings.seed));
    return 0;
  }
  std::printf("%s: FAILED after %llu inputs, seed %llu\n", program,
              static_cast<unsigned long long>(progress.inputs),
              static_cast<unsigned long long>(settings.seed));
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    std::printf("the input took more than %u s\n", kInputSecondsMax);
  }
  if (progress.missed) {
    std::printf("its seeds do not reach all that it is to reach\n");
  } else if (progress.finished) {
    std::printf("after the last input, as by a leak of any of them\n");
  } else {
    PrintInput(progress, program);
  }
  return 1;
}

std::optional<Settings> ReadArguments(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.substr(0, 10) == "--seconds=") {
      if (!absl::SimpleAtod(argv[i] + 10, &settings.seconds)) return std::nullopt;
    } else if (argument.substr(0, 7) == "--seed=") {
      if (!absl::SimpleAtoi(argv[i] + 7, &settings.seed)) return std::nullopt;
    } else {
      std::ifstream file(argv[i], std::ios::binary);
      if (!file) return std::nullopt;
      settings.inputs.emplace_back(std::istreambuf_iterator<char>(file),
                                   std::istreambuf_iterator<char>());
    }
  }
  return settings;
}

int Run(const Settings& settings, const char* program) {
  void* const shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return std::perror("mmap"), 1;
  auto& progress = *new (shared) Progress();
  const pid_t child = fork();
  if (child < 0) return std::perror("fork"), 1;
  if (child == 0) {
    FeedAll(settings, progress);
    alarm(0);
    progress.finished = true;
    std::exit(0);  // LeakSanitizer looks now
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return std::perror("waitpid"), 1;
  return Report(settings, progress, status, program);
}

}  // namespace
}  // namespace sessioncast::fuzz

int main(int argc, char** argv) {
  using namespace sessioncast::fuzz;
  const std::optional<Settings> settings = ReadArguments(argc, argv);
  if (!settings) {
    std::fprintf(stderr, "usage: %s [--seconds=3] [--seed=N] [FILE...]\n", argv[0]);
    return 2;
  }
  return Run(*settings, argv[0]);
}
