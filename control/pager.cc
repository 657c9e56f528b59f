#include "control/pager.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {
namespace {

// Under which an event waits to be superseded: "kind" for LATEST, "=key" for LATEST_BY_KEY. What
// comes later supersedes what waits under both of its own.
std::array<std::string, 2> PlacesOf(const EventSummary& summary) {
  return {absl::StrCat(summary.kind), absl::StrCat("=", summary.key)};
}

}  // namespace

bool Pager::Add(const StoredEventPtr& event) {
  if (scanned_ == limits_.events_scanned_max) return false;
  const size_t size = event->bytes.size();
  if (limits_.reading == Reading::kWhole) {
    if (!events_.empty() && bytes_ + size > limits_.bytes_max) return false;
  } else {
    size_t freed = 0;
    const auto places = PlacesOf(event->summary);
    for (const std::string& place : places) {
      const auto waiting = supersedable_.find(place);
      if (waiting != supersedable_.end()) freed += events_[waiting->second]->bytes.size();
    }
    if (bytes_ > freed && bytes_ - freed + size > limits_.bytes_max) return false;
    for (const std::string& place : places) {
      const auto waiting = supersedable_.find(place);
      if (waiting == supersedable_.end()) continue;
      LeaveOut(waiting->second);
      supersedable_.erase(waiting);
    }
    const v1::Delivery delivery = event->summary.handling.delivery;
    if (delivery == v1::DELIVERY_LATEST) supersedable_[places[0]] = events_.size();
    if (delivery == v1::DELIVERY_LATEST_BY_KEY) supersedable_[places[1]] = events_.size();
  }
  events_.push_back(event);
  bytes_ += size;
  ++scanned_;
  through_ = event->sequence;
  return true;
}

void Pager::LeaveOut(size_t index) {
  bytes_ -= events_[index]->bytes.size();
  events_[index] = nullptr;
}

Page Pager::Take() {
  Page page;
  page.through = through_;
  for (StoredEventPtr& event : events_) {
    if (event != nullptr) page.events.push_back(std::move(event));
  }
  return page;
}

}  // namespace sessioncast::control
