// A place in a session's log, as control handles it: v1::Position without what a message costs, of
// which an append has a dozen.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "sessioncast/v1/event.pb.h"

namespace sessioncast::control {

class Position {
 public:
  // {"", 0}: before the first event, of any epoch.
  Position() = default;
  Position(std::string epoch, uint64_t sequence) : epoch_(std::move(epoch)), sequence_(sequence) {}
  Position(const v1::Position& position) : Position(position.epoch(), position.sequence()) {}

  operator v1::Position() const {
    v1::Position position;
    position.set_epoch(epoch_);
    position.set_sequence(sequence_);
    return position;
  }

  const std::string& epoch() const { return epoch_; }
  uint64_t sequence() const { return sequence_; }
  void set_epoch(std::string epoch) { epoch_ = std::move(epoch); }
  void set_sequence(uint64_t sequence) { sequence_ = sequence; }

  friend bool operator==(const Position&, const Position&) = default;

 private:
  std::string epoch_;  // short: it is copied without an allocation
  uint64_t sequence_ = 0;
};

}  // namespace sessioncast::control
