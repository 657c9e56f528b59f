// Control without gRPC's threads and sockets: the broker over the store in memory, its loops
// stepped here, and one edge's Attach stream as the bytes that it carries.
//
// Single-threaded; the same calls do the same work each time. A publish is parsed from its bytes,
// as gRPC hands it over; a message is what control/attach_stream fills from its cursors,
// serialized.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/broker.h"
#include "control/memory_store.h"
#include "tests/simulation/scheduler.h"

namespace sessioncast::test {

class ControlSide {
 public:
  ControlSide();
  ~ControlSide();
  ControlSide(const ControlSide&) = delete;
  ControlSide& operator=(const ControlSide&) = delete;

  // The edge is interested in a session.
  void Begin(uint32_t interest_id, const std::string& session_id);
  // A serialized PublishEventRequest. It must be valid.
  void Publish(const std::string& request);
  // A serialized AttachResponse with all that is new once everything published is durable; "":
  // there is nothing.
  std::string NextMessage();
  // Publishes that were answered.
  size_t published() const { return published_; }

 private:
  struct Interest {
    std::unique_ptr<control::Broker::Subscription> subscription;
    bool ready = false;
  };

  void MarkReady(uint32_t interest_id);

  Scheduler scheduler_{1};
  control::MemoryStore store_;
  std::optional<control::Broker> broker_;
  std::unordered_map<uint32_t, Interest> interests_;
  std::vector<uint32_t> ready_;
  size_t published_ = 0;
};

}  // namespace sessioncast::test
