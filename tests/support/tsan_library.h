// For the definitions of the preset `tsan` that stand before a shared library's: what they call behind themselves.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace sessioncast::test {

// The library's function of this (mangled) name: of type void(Mutex*) for a method Mutex::Lock().
template <typename Function>
Function* Library(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "tests/support/tsan_*.cc: no library has %s; is it another version?\n", name);
    std::abort();
  }
  return reinterpret_cast<Function*>(found);
}

}  // namespace sessioncast::test
