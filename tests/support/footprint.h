// What this process holds now, exactly: bytes of the heap, descriptors.
//
// Threads: any.
#pragma once

#include <cstddef>

namespace sessioncast::tests {

// What was allocated and not freed. Without sanitizers only what C++ allocates counts (operator
// new), by a counting one that a program gets that calls this.
size_t LiveHeapBytes();

size_t OpenDescriptors();

}  // namespace sessioncast::tests
