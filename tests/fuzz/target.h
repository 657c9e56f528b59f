// What a fuzz target is made of. Each <decoder>_fuzz.cc beside this defines one: the function that
// feeds an input to the decoder and checks what must hold, and inputs to begin with.
//
// A target is linked with libFuzzer (the preset `fuzz`, tools/fuzz) or with standalone.cc (a plain
// test, `fuzz.<decoder>`).
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Defined by each target. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

namespace sessioncast::fuzz {

// Defined by each target: inputs to begin with, good ones and bad ones.
std::vector<std::string> Seeds();

// Defined by a target that has a list of what is to be reached (reached.h): prints it at the end of
// a run, and returns what was not. A plain test fails if its seeds leave something out.
__attribute__((weak)) std::vector<std::string> PrintReached();

std::string_view Text(const uint8_t* bytes, size_t size);

// Ends the program with this text if a property does not hold.
void Require(bool holds, std::string_view property);

// Random numbers that an input always gets again: where to cut it, for example.
class Dice {
 public:
  explicit Dice(std::string_view input);
  // 0 .. below - 1.
  size_t Roll(size_t below);

 private:
  uint64_t state_;
};

// How much the heap grew at most since this was made, beyond what was there. Needs
// AddressSanitizer or ThreadSanitizer: 0 without.
class HeapPeak {
 public:
  HeapPeak();
  size_t bytes() const;

 private:
  size_t begin_ = 0;
};

}  // namespace sessioncast::fuzz
