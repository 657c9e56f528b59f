#include "tests/support/footprint.h"

#include <filesystem>
#include <iterator>

namespace sessioncast::tests {

size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  // One of them reads the directory.
  return static_cast<size_t>(std::distance(begin(all), end(all))) - 1;
}

}  // namespace sessioncast::tests

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

// Of <sanitizer/allocator_interface.h>, which g++ does not bring.
extern "C" size_t __sanitizer_get_current_allocated_bytes();

namespace sessioncast::tests {

size_t LiveHeapBytes() { return __sanitizer_get_current_allocated_bytes(); }

}  // namespace sessioncast::tests

#else

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

// mallinfo2 would count what each thread keeps for its next allocation, which comes and goes.
namespace sessioncast::tests {
namespace {

std::atomic<size_t> live_bytes{0};

void* Counted(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  live_bytes.fetch_add(malloc_usable_size(block), std::memory_order_relaxed);
  return block;
}

void Free(void* block) {
  if (block == nullptr) return;
  live_bytes.fetch_sub(malloc_usable_size(block), std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

size_t LiveHeapBytes() { return live_bytes.load(std::memory_order_relaxed); }

}  // namespace sessioncast::tests

// The other forms of new and delete call these.
void* operator new(size_t size) { return sessioncast::tests::Counted(std::malloc(size)); }
void* operator new(size_t size, std::align_val_t alignment) {
  const size_t unit = static_cast<size_t>(alignment);
  const size_t rounded = (size + unit - 1) / unit * unit;
  return sessioncast::tests::Counted(std::aligned_alloc(unit, rounded));
}
void operator delete(void* block) noexcept { sessioncast::tests::Free(block); }
void operator delete(void* block, size_t) noexcept { sessioncast::tests::Free(block); }
void operator delete(void* block, std::align_val_t) noexcept { sessioncast::tests::Free(block); }

#endif
