#include "tests/fuzz/target.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

// The sanitizers' interface to the heap; absent in a build without them.
extern "C" {
__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void*, size_t), void (*on_free)(const volatile void*));
__attribute__((weak)) size_t __sanitizer_get_allocated_size(const volatile void* place);
}

namespace sessioncast::fuzz {
namespace {

// libFuzzer has threads of its own.
std::atomic<size_t> heap_bytes{0};
std::atomic<size_t> peak_bytes{0};

void OnMalloc(const volatile void*, size_t size) {
  const size_t now = heap_bytes += size;
  if (now > peak_bytes) peak_bytes = now;
}

void OnFree(const volatile void* place) {
  if (place == nullptr) return;
  // What was there before the hooks is not subtracted beyond nothing.
  const size_t size = __sanitizer_get_allocated_size(place);
  heap_bytes -= std::min<size_t>(size, heap_bytes);
}

void CountHeap() {
  static const bool counted = __sanitizer_install_malloc_and_free_hooks != nullptr &&
                              __sanitizer_install_malloc_and_free_hooks(OnMalloc, OnFree) != 0;
  (void)counted;
}

}  // namespace

std::string_view Text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

void Require(bool holds, std::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(property.size()), property.data());
  std::abort();
}

Dice::Dice(std::string_view input) : state_(14'695'981'039'346'656'037u) {  // FNV-1a
  for (const char byte : input) state_ = (state_ ^ static_cast<uint8_t>(byte)) * 1'099'511'628'211u;
}

size_t Dice::Roll(size_t below) {
  state_ = state_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
  return (state_ >> 33) % below;
}

HeapPeak::HeapPeak() {
  CountHeap();
  begin_ = heap_bytes;
  peak_bytes = begin_;
}

size_t HeapPeak::bytes() const { return peak_bytes - std::min<size_t>(begin_, peak_bytes); }

}  // namespace sessioncast::fuzz
