// Writes the history of one participant, as tests/support/HISTORY.md defines it: one line of JSON a
// call, in the order of the calls.
//
// Threads: any. The file is whole after End, or the destructor of a participant that was cut off.
#pragma once

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

#include "nlohmann/json.hpp"
#include "sessioncast/v1/event.pb.h"

namespace sessioncast::test {

// What identifies an event for the checker: {kind, of, status, hash}.
nlohmann::json Identity(const v1::Event& event);
nlohmann::json Identity(const std::string& kind, const std::string& of, const std::string& status,
                        const std::string& text);

class HistoryRecorder {
 public:
  // Writes DIRECTORY/WHO.jsonl, and its first line.
  HistoryRecorder(const std::string& directory, const std::string& who, const std::string& role,
                  const std::string& kind);
  ~HistoryRecorder();
  HistoryRecorder(const HistoryRecorder&) = delete;
  HistoryRecorder& operator=(const HistoryRecorder&) = delete;

  void Write(const std::string& what, nlohmann::json fields);
  // An event with its position and time; `more` is written beside.
  void WriteEvent(const std::string& what, const v1::Event& event, nlohmann::json more);
  void End();

 private:
  std::mutex mutex_;
  FILE* file_;
};

}  // namespace sessioncast::test
