// What the I/O threads hold, counted for a scrape of the metrics: each counts its own when asked by
// a post, so what it counts needs no lock and costs nothing until somebody asks.
//
// Threads: Take by any but an I/O thread, several at a time; `count` on each I/O thread.
// Invariants: Take waits Options::wait_max at most, and a thread that has not answered by then
// counts as it last did, so that totals do not fall; at most one question a thread is under way.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "edge/engineio/io_thread.h"
#include "edge/hub.h"

namespace sessioncast::edge {

class Census {
 public:
  struct Options {
    std::chrono::milliseconds wait_max{1'000};
  };

  struct Counts {
    size_t connections = 0;
    size_t queued_bytes = 0;
    size_t attached = 0;  // Attach streams
    Hub::Counts hub;

    Counts& operator+=(const Counts& other);
  };

  // `threads` and what `count` uses outlive this, and stop before.
  Census(const std::vector<std::unique_ptr<engineio::IoThread>>& threads,
         std::function<Counts(const engineio::IoThread&)> count, Options options);

  // Of all threads together.
  Counts Take();

 private:
  struct Answers;

  const std::vector<std::unique_ptr<engineio::IoThread>>& threads_;
  const std::function<Counts(const engineio::IoThread&)> count_;
  const Options options_;
  const std::shared_ptr<Answers> answers_;  // a post that comes late has it too
};

}  // namespace sessioncast::edge
