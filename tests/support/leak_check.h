// What ten thousand clients leave behind in a server that runs in this process: nothing, or the
// test fails.
//
// A step is what one client does. Clients take it in groups, and in each group sentence by sentence
// (all of them the first, then all of them the second), so many are under way at once. When a group
// has gone, and what it left has ended, the server must hold nothing: no connection, no sid, no TCP
// connection, no timer, no descriptor. After a first group to warm up, the heap may not grow: not
// by the next thousand, nor by ten thousand.
//
// Threads: one; the server's are its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "edge/engineio/held.h"
#include "tests/support/leak_sentences.h"

namespace sessioncast::tests {

// The server, as the check sees it.
struct LeakSubject {
  uint16_t port = 0;
  std::string path;
  std::function<engineio::Held()> held;
  std::function<size_t()> connections;
  // How many of its connections have ended as the step wants them to; of refusals, how many there
  // were.
  std::function<size_t()> ended;
};

struct LeakStep {
  Sentences sentences;
  size_t group = 100;
  // Clients that may be too late for a server with short time-outs, and try again: of each hundred.
  size_t late_percent_max = 0;
  // Called when a group has gone and the server holds nothing of it, on the test's thread.
  std::function<void()> after_group = nullptr;
};

// Runs the step, and prints its line of the table.
void ExpectNothingLeft(const LeakSubject& subject, const LeakStep& step);

}  // namespace sessioncast::tests
