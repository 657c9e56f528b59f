// What the broker does by itself, when a deadline passes.
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/broker.h"

namespace sessioncast::control {

void Broker::Act(const Deadline& deadline, DeadlineThread::Acted acted) {
  if (absl::Status writable = store_.CheckWritable(); !writable.ok()) {
    return acted(std::move(writable));
  }
  if (deadline.is_of_session()) {
    LookAtSession(deadline, std::move(acted));
  } else {
    ExpireClarification(deadline, std::move(acted));
  }
}

void Broker::ExpireClarification(const Deadline& deadline, DeadlineThread::Acted acted) {
  EndClarification({deadline.session_id, deadline.clarification_id,
                    v1::CLARIFICATION_STATUS_EXPIRED, std::nullopt},
                   [acted = std::move(acted)](absl::StatusOr<Published> ended) mutable {
                     // An answer that came first has removed the deadline with it.
                     const bool answered = absl::IsAlreadyExists(ended.status());
                     acted(answered ? absl::OkStatus() : ended.status());
                   });
}

void Broker::LookAtSession(const Deadline& deadline, DeadlineThread::Acted acted) {
  With(deadline.session_id, [this, deadline, acted = std::move(acted)](
                                absl::StatusOr<Session*> ready, Effects& effects) mutable {
    absl::Status refused = ready.status();
    if (refused.ok()) {
      Session& session = **ready;
      const absl::Time now = options_.clock();
      switch (session.history.DueAt(now)) {
        case History::Due::kDeletion:
          if (session.appends_in_flight == 0) return Delete(session, deadline, std::move(acted));
          refused = absl::UnavailableError("the session's end is being stored");
          break;
        case History::Due::kNothing:
          refused = absl::NotFoundError(
              absl::StrCat("a deadline of session '", session.id, "', which has no events"));
          break;
        case History::Due::kExpiry:
        case History::Due::kLater: {
          Answer answer = session.history.PassDeadline(deadline, {now, ""});
          return Commit(session, absl::MakeSpan(&answer, 1), std::move(acted));
        }
      }
    }
    effects.push_back(
        [acted = std::move(acted), refused = std::move(refused)]() mutable { acted(refused); });
  });
}

void Broker::Delete(Session& session, const Deadline& deadline, DeadlineThread::Acted acted) {
  auto removal = std::make_shared<StoreAppend>();
  removal->session_id = session.id;
  removal->chain = session.chain;
  removal->after = session.history.top();
  removal->removes_session = true;
  removal->deadlines_cleared = {deadline};
  // What comes meanwhile stands in the line until the session was loaded again.
  session.state = Session::State::kFailed;
  Push(session, std::move(removal), std::move(acted));
}

}  // namespace sessioncast::control
