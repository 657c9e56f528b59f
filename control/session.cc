#include "control/session.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {

Session::Session(std::string id, HistoryOptions options)
    : id(std::move(id)), history(this->id, options) {}

void Session::WaitFor(uint64_t sequence, Waiter waiter, std::shared_ptr<PublishOrder> order,
                      Effects& effects) {
  const uint64_t through = history.durable();
  if (sequence <= through) {
    effects.push_back(
        [waiter = std::move(waiter), through]() mutable { waiter(absl::OkStatus(), through); });
  } else {
    waiting_.emplace(sequence, Waiting{std::move(waiter), std::move(order)});
  }
}

void Session::AppendStored(uint64_t through, Effects& effects) {
  --appends_in_flight;
  if (state != State::kReady) return;
  history.Durable(through);
  const auto end = waiting_.upper_bound(through);
  for (auto at = waiting_.begin(); at != end; at = waiting_.erase(at)) {
    effects.push_back([waiter = std::move(at->second.waiter), through]() mutable {
      waiter(absl::OkStatus(), through);
    });
  }
  WakeSubscribers(effects);
}

void Session::AppendFailed(uint64_t first, const absl::Status& why, Effects& effects) {
  --appends_in_flight;
  if (state == State::kReady) Fail(first, why, effects);
}

void Session::Fail(uint64_t first, const absl::Status& why, Effects& effects) {
  state = State::kFailed;
  history.Drop(first);
  const absl::Status unknown = absl::UnavailableError(absl::StrCat(
      "the event may or may not be stored, publish it again with its key: ", why.message()));
  for (auto at = waiting_.lower_bound(first); at != waiting_.end(); at = waiting_.erase(at)) {
    if (at->second.order != nullptr) at->second.order->Refused(unknown);
    effects.push_back([waiter = std::move(at->second.waiter), unknown, first]() mutable {
      waiter(unknown, first - 1);
    });
  }
}

void Session::Loaded(History loaded, uint64_t of_generation, Effects& effects) {
  history = std::move(loaded);
  generation = of_generation;
  chain = std::make_shared<AppendChain>();
  state = State::kReady;
  std::list<Operation> waiting = std::move(line);
  line.clear();
  for (Operation& operation : waiting) operation(this, effects);
  WakeSubscribers(effects);
}

void Session::LoadFailed(const absl::Status& why, Effects& effects) {
  state = State::kUnloaded;
  std::list<Operation> waiting = std::move(line);
  line.clear();
  for (Operation& operation : waiting) operation(why, effects);
}

void Session::WakeSubscribers(Effects& effects) {
  for (const std::shared_ptr<Subscriber>& subscriber : subscribers) {
    effects.push_back([subscriber] { subscriber->wake(); });
  }
}

bool Session::IsIdle() const {
  return appends_in_flight == 0 && waiting_.empty() && line.empty() && subscribers.empty() &&
         (state == State::kReady || state == State::kUnloaded);
}

}  // namespace sessioncast::control
