// Draws events of every kind from a seed, each with a text of its own.
//
// Threads: one.
#pragma once

#include <random>
#include <string>
#include <utility>

#include "sessioncast/v1/event.pb.h"

namespace sessioncast::chaos {

class EventSource {
 public:
  // `name` makes texts and clarification ids unique among all publishers.
  EventSource(std::string name, uint64_t seed) : name_(std::move(name)), random_(seed) {}

  v1::Event Draw(const std::string& session_id);
  // Control refuses it for certain: nothing may be stored of it.
  v1::Event DrawInvalid(const std::string& session_id);
  v1::Event DrawCompleted(const std::string& session_id);
  v1::Event DrawProgress(const std::string& session_id);
  // What the log says once the question has been answered.
  v1::Event DrawAnswer(const v1::Event& question);

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  std::string NextKey() { return name_ + "/" + std::to_string(++keys_); }

 private:
  // Of at most `bytes_max` bytes and some, with letters of one to four bytes.
  std::string Text(size_t bytes_max);
  v1::Event ModelResult(const std::string& session_id);

  const std::string name_;
  std::mt19937_64 random_;
  uint64_t texts_ = 0;
  uint64_t keys_ = 0;
};

}  // namespace sessioncast::chaos
