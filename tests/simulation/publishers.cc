#include "tests/simulation/publishers.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"

namespace sessioncast::test {
namespace {

constexpr uint32_t kClarifications = 4;

}  // namespace

std::string LabelOf(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return event.progress().result().fields().at("label").string_value();
    case v1::Event::kModelResult:
      return event.model_result().result();
    case v1::Event::kClarification:
      return event.clarification().question();
    case v1::Event::kCompleted:
      return event.completed().result().fields().at("label").string_value();
    case v1::Event::kError:
      return event.error().message();
    default:
      return event.custom().data().fields().at("label").string_value();
  }
}

void Publishers::Violate(const std::string& session_id, const std::string& text) {
  violations_.Add(absl::StrCat("answered in session ", session_id, ": ", text));
}

v1::Event Publishers::NewEvent(const std::string& session_id, const std::string& label) {
  v1::Event event;
  event.set_session_id(session_id);
  const auto put = [&label](google::protobuf::Struct& data) {
    (*data.mutable_fields())["label"].set_string_value(label);
  };
  if (scheduler_.Chance(options_.ends_percent)) {
    if (scheduler_.Chance(50)) {
      put(*event.mutable_completed()->mutable_result());
    } else {
      event.mutable_error()->set_message(label);
      event.mutable_error()->set_final(true);
    }
    return event;
  }
  switch (scheduler_.Pick(4)) {
    case 0:
      put(*event.mutable_progress()->mutable_result());
      event.mutable_progress()->set_status(v1::SESSION_STATUS_PROCESSING);
      break;
    case 1:
      event.mutable_model_result()->set_model_name(absl::StrCat("m", scheduler_.Pick(3)));
      event.mutable_model_result()->set_result(label);
      event.mutable_model_result()->set_status(
          static_cast<v1::ModelResultStatus>(1 + scheduler_.Pick(3)));
      break;
    case 2:
      event.mutable_error()->set_message(label);
      break;
    default:
      event.mutable_custom()->set_name("token");
      put(*event.mutable_custom()->mutable_data());
  }
  return event;
}

Publishers::Attempt& Publishers::NewAttempt() {
  Attempt& attempt = attempts_.emplace_back();
  attempt.number = attempts_.size();
  attempt.label = absl::StrCat("event ", attempt.number);
  const uint32_t sessions = static_cast<uint32_t>(options_.sessions.size());
  attempt.event = NewEvent(options_.sessions[scheduler_.Pick(sessions)], attempt.label);
  if (scheduler_.Chance(70)) attempt.key = absl::StrCat("key ", attempt.number);
  return attempt;
}

void Publishers::Act(control::Broker& broker) {
  const uint32_t what = scheduler_.Pick(20);
  if (what == 0) return Ask(broker);
  if (what == 1) return End(broker);
  if (what == 7 || what == 8) return PublishTogether(broker);
  std::vector<Attempt*> again;
  for (Attempt& attempt : attempts_) {
    if (!attempt.key.empty() && (attempt.unknown || attempt.calls_open > 0 || what == 2))
      again.push_back(&attempt);
  }
  if (what < 6 && !again.empty())
    return Publish(broker, *again[scheduler_.Pick(static_cast<uint32_t>(again.size()))]);
  Attempt& attempt = NewAttempt();
  // Somebody uses a key for two things.
  if (what == 6 && attempt.number > 1) {
    Attempt& other = *std::next(attempts_.begin(), scheduler_.Pick(attempt.number - 1));
    attempt.event.set_session_id(other.event.session_id());
    attempt.key = other.key;
  }
  Publish(broker, attempt);
}

Publishers::Before Publishers::Look(const v1::Event& event, const std::string& key) const {
  const NaiveLife& life = log_.Current(event.session_id());
  const auto asked = life.Clarifications(life.top());
  return {life.epoch, life.KeepsKey(key),
          asked.count(event.clarification().clarification_id()) > 0};
}

void Publishers::Publish(control::Broker& broker, Attempt& attempt) {
  ++attempt.calls;
  ++attempt.calls_open;
  ++calls_open_;
  broker.Publish(attempt.event, attempt.key,
                 [this, &attempt, call = ++calls_, before = Look(attempt.event, attempt.key)](
                     const absl::StatusOr<control::Published>& result) {
                   Answered(attempt, call, before, result);
                 });
}

void Publishers::PublishTogether(control::Broker& broker) {
  struct Call {
    Attempt* attempt;
    uint64_t number;
    Before before;
  };
  std::vector<Call> calls;
  std::vector<control::Publication> publications;
  const auto add = [&](Attempt& attempt) {
    ++attempt.calls;
    ++attempt.calls_open;
    ++calls_open_;
    calls.push_back({&attempt, ++calls_, Look(attempt.event, attempt.key)});
    publications.push_back({attempt.event, attempt.key});
  };
  const std::string& session_id =
      options_.sessions[scheduler_.Pick(static_cast<uint32_t>(options_.sessions.size()))];
  for (Attempt& attempt : attempts_) {
    if (attempt.event.session_id() == session_id && !attempt.key.empty() && scheduler_.Chance(2))
      add(attempt);
  }
  for (uint32_t left = 2 + scheduler_.Pick(4); left > 0; --left) {
    Attempt& attempt = NewAttempt();
    attempt.event.set_session_id(session_id);
    add(attempt);
  }
  broker.PublishAll(session_id, std::move(publications), nullptr,
                    [this, calls = std::move(calls)](const control::Broker::Outcomes& outcomes) {
                      for (size_t i = 0; i < calls.size(); ++i) {
                        const auto& [attempt, number, before] = calls[i];
                        Answered(*attempt, number, before, outcomes[i]);
                      }
                    });
}

void Publishers::Ask(control::Broker& broker) {
  Attempt& attempt = attempts_.emplace_back();
  attempt.number = attempts_.size();
  const uint32_t sessions = static_cast<uint32_t>(options_.sessions.size());
  attempt.event.set_session_id(options_.sessions[scheduler_.Pick(sessions)]);
  v1::Clarification& clarification = *attempt.event.mutable_clarification();
  clarification.set_clarification_id(absl::StrCat("c", scheduler_.Pick(kClarifications)));
  // Mostly the same question of an id, so that it is often asked again.
  attempt.label = absl::StrCat("question ", clarification.clarification_id(), "?",
                               scheduler_.Chance(10) ? " Or?" : "");
  clarification.set_question(attempt.label);
  clarification.set_status(v1::CLARIFICATION_STATUS_PENDING);
  if (scheduler_.Chance(50))
    clarification.mutable_time_limit()->set_seconds(1 + scheduler_.Pick(60));
  if (scheduler_.Chance(50)) clarification.set_default_response("the default");
  ++attempt.calls;
  ++attempt.calls_open;
  ++calls_open_;
  auto done = [this, &attempt, call = ++calls_,
               before = Look(attempt.event, "")](const absl::StatusOr<control::Published>& result) {
    Answered(attempt, call, before, result);
  };
  if (scheduler_.Chance(50)) {
    broker.Ask(attempt.event, std::move(done));
  } else {
    broker.Publish(attempt.event, "", std::move(done));
  }
}

void Publishers::End(control::Broker& broker) {
  control::ClarificationEnd end;
  const uint32_t sessions = static_cast<uint32_t>(options_.sessions.size());
  end.session_id = options_.sessions[scheduler_.Pick(sessions)];
  end.clarification_id = absl::StrCat("c", scheduler_.Pick(kClarifications));
  end.status = v1::CLARIFICATION_STATUS_CANCELLED;
  if (scheduler_.Chance(70)) {
    end.status = v1::CLARIFICATION_STATUS_ANSWERED;
    end.response = absl::StrCat("answer ", ++calls_);
  }
  v1::Event of;
  of.set_session_id(end.session_id);
  of.mutable_clarification()->set_clarification_id(end.clarification_id);
  ++calls_open_;
  broker.EndClarification(
      end, [this, end, before = Look(of, "")](const absl::StatusOr<control::Published>& result) {
        --calls_open_;
        Ended(end, before, result);
      });
}

bool Publishers::IsUnknown(const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return false;
  ++unknown_;
  return true;
}

void Publishers::Answered(Attempt& attempt, uint64_t call, const Before& before,
                          const absl::StatusOr<control::Published>& result) {
  --calls_open_;
  --attempt.calls_open;
  if (result.ok()) return Acked(attempt, call, *result);
  Refused(attempt, before, result.status());
}

void Publishers::Acked(Attempt& attempt, uint64_t call, const control::Published& published) {
  ++acked_;
  attempt.unknown = false;
  const std::string& session_id = attempt.event.session_id();
  const std::string where = absl::StrCat("position ", published.position.sequence(), " for ",
                                         attempt.label, published.duplicate ? ", again" : "");
  const NaiveEvent* event = log_.Find(session_id, published.position);
  if (event == nullptr) return Violate(session_id, where + ", which is not durable");
  if (LabelOf(event->event) != attempt.label)
    return Violate(session_id, where + ", where another event is");
  if (event->key != attempt.key) Violate(session_id, where + ", which has another key");
  CheckContent(attempt, *event);
  attempt.may_be_stored = true;
  attempt.acked_at.push_back(published.position);
  if (published.duplicate) return;
  auto& calls = call_of_[{session_id, published.position.epoch()}];
  if (!calls.emplace(published.position.sequence(), call).second)
    Violate(session_id, where + ", which was told as new before");
}

// What control fills in apart, and what another one had asked with the same question.
void Publishers::CheckContent(const Attempt& attempt, const NaiveEvent& stored) {
  if (attempt.event.has_clarification()) return;
  v1::Event content = stored.event;
  content.clear_position();
  content.clear_time();
  if (content.has_progress()) {
    content.mutable_progress()->clear_prompts();
    content.mutable_progress()->clear_has_clarifications();
    content.mutable_progress()->clear_clarification_count();
    content.mutable_progress()->clear_result_available();
  }
  if (content.SerializeAsString() != attempt.event.SerializeAsString())
    Violate(attempt.event.session_id(), attempt.label + " is stored with another content");
}

void Publishers::Refused(Attempt& attempt, const Before& before, const absl::Status& status) {
  if (IsUnknown(status)) {
    attempt.unknown = true;
    attempt.may_be_stored = true;
    return;
  }
  attempt.unknown = false;
  CheckRefusal(attempt, before, status);
}

void Publishers::CheckRefusal(const Attempt& attempt, const Before& before,
                              const absl::Status& status) {
  const std::string& session_id = attempt.event.session_id();
  if (absl::IsResourceExhausted(status) || log_.BrokerIsBehind(session_id)) return;
  const NaiveLife& life = log_.Current(session_id);
  const std::string what = absl::StrCat(attempt.label, " is refused: ", status.ToString());
  if (absl::IsFailedPrecondition(status)) {
    if (!life.Ended()) Violate(session_id, what + "; durably, it has not");
    if (before.key_kept && before.epoch == life.epoch && life.KeepsKey(attempt.key))
      Violate(session_id, what + "; its key was known");
    return;
  }
  if (!absl::IsAlreadyExists(status)) return Violate(session_id, what);
  const auto asked = life.Clarifications(life.top());
  const bool was_asked = asked.count(attempt.event.clarification().clarification_id()) > 0;
  if (!was_asked && !life.HasKey(attempt.key)) Violate(session_id, what + "; durably, it does not");
}

void Publishers::Ended(const control::ClarificationEnd& end, const Before& before,
                       const absl::StatusOr<control::Published>& result) {
  const std::string what = absl::StrCat("the end of clarification ", end.clarification_id, ": ",
                                        result.status().ToString());
  if (result.ok()) {
    const NaiveEvent* event = log_.Find(end.session_id, result->position);
    if (event == nullptr) return Violate(end.session_id, what + ", which is not durable");
    const v1::Clarification& ended = event->event.clarification();
    if (ended.clarification_id() != end.clarification_id || ended.status() != end.status ||
        ended.response() != end.response.value_or(""))
      Violate(end.session_id, what + ", and another has won");
    return;
  }
  if (IsUnknown(result.status()) || absl::IsResourceExhausted(result.status()) ||
      log_.BrokerIsBehind(end.session_id))
    return;
  const NaiveLife& life = log_.Current(end.session_id);
  const auto all = life.Clarifications(life.top());
  const auto known = all.find(end.clarification_id);
  if (absl::IsNotFound(result.status())) {
    if (before.asked && before.epoch == life.epoch)
      Violate(end.session_id, what + ": it was asked");
  } else if (!absl::IsAlreadyExists(result.status())) {
    Violate(end.session_id, what);
  } else if (known == all.end() || life.At(known->second).event.clarification().status() ==
                                       v1::CLARIFICATION_STATUS_PENDING) {
    Violate(end.session_id, what + "; durably, it has not");
  }
}

void Publishers::LoseCalls() {
  for (Attempt& attempt : attempts_) {
    if (std::exchange(attempt.calls_open, 0) == 0) continue;
    attempt.unknown = true;
    attempt.may_be_stored = true;
  }
  calls_open_ = 0;
}

void Publishers::Probe(control::Broker& broker, const std::string& session_id) {
  Attempt& attempt = attempts_.emplace_back();
  attempt.number = attempts_.size();
  attempt.label = absl::StrCat("event ", attempt.number);
  attempt.key = absl::StrCat("key ", attempt.number);
  attempt.event.set_session_id(session_id);
  attempt.event.mutable_error()->set_message(attempt.label);
  Publish(broker, attempt);
}

void Publishers::CheckProbe() {
  const Attempt& probe = attempts_.back();
  const std::string& session_id = probe.event.session_id();
  if (probe.acked_at.empty() && !log_.Current(session_id).Ended())
    Violate(session_id, "all is healed, and an event is not acknowledged");
}

void Publishers::CheckLog() {
  if (calls_open_ > 0) violations_.Add(absl::StrCat(calls_open_, " calls were never answered"));
  for (const auto& [session_id, lives] : log_.lives()) {
    for (const NaiveLife& life : lives) CheckLife(life);
  }
  for (const auto& [where, calls] : call_of_) {
    uint64_t last = 0;
    for (const auto& [sequence, call] : calls) {
      if (call < last)
        Violate(where.first, absl::StrCat("the call for sequence ", sequence,
                                          " was made before the one for what is before it"));
      last = call;
    }
  }
}

// That everything in it was tried, as often at least, and not refused for sure.
void Publishers::CheckLife(const NaiveLife& life) {
  std::map<std::string, std::vector<const Attempt*>> by_label;
  for (const Attempt& attempt : attempts_) by_label[attempt.label].push_back(&attempt);
  std::map<std::string, uint32_t> stored;
  for (const NaiveEvent& kept : life.events) {
    const v1::Event& event = kept.event;
    if (IsTerminal(event) && event.has_progress()) continue;
    const std::string label = LabelOf(event);
    const std::vector<const Attempt*>& tried = by_label[label];
    if (std::none_of(tried.begin(), tried.end(),
                     [](const Attempt* attempt) { return attempt->may_be_stored; }))
      Violate(life.session_id, label + " was refused, and is in the log");
    if (!event.has_clarification() && !tried.empty() && ++stored[label] > tried.front()->calls)
      Violate(life.session_id, label + " is in the log more often than it was published");
  }
}

}  // namespace sessioncast::test
