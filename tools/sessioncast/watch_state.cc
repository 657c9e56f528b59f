#include "tools/sessioncast/watch_state.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/sessioncast/print.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::string BeginningOf(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return std::string(FirstBytes(text, WatchState::kTextBytesMax));
}

std::string EndOfLastLine(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(kBlank) + 1);
  text.remove_prefix(text.find_last_of("\r\n") + 1);
  return std::string(LastBytes(text, WatchState::kTextBytesMax));
}

google::protobuf::Timestamp Later(const google::protobuf::Timestamp& time,
                                  const google::protobuf::Duration& by) {
  google::protobuf::Timestamp later;
  const int64_t nanos = int64_t{time.nanos()} + by.nanos();
  later.set_seconds(time.seconds() + by.seconds() + nanos / 1'000'000'000);
  later.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  return later;
}

// The one that `is_it` says, or a new one behind the others. Where there is no room the first that
// `has_ended` goes, or the first.
template <typename Element, typename IsIt, typename HasEnded>
Element& FindOrAdd(std::vector<Element>& elements, size_t size_max, size_t& forgotten,
                   const IsIt& is_it, const HasEnded& has_ended) {
  const auto found = std::find_if(elements.begin(), elements.end(), is_it);
  if (found != elements.end()) return *found;
  if (elements.size() == size_max) {
    const auto ended = std::find_if(elements.begin(), elements.end(), has_ended);
    elements.erase(ended != elements.end() ? ended : elements.begin());
    ++forgotten;
  }
  return elements.emplace_back();
}

}  // namespace

WatchState::WatchState(std::string session_id, uint64_t sequence)
    : session_id_(std::move(session_id)), sequence_(sequence) {}

void WatchState::Add(const v1::Event& event) {
  sequence_ = event.position().sequence();
  AddLine(ToLine(event));
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return AddProgress(event.progress());
    case v1::Event::kModelResult:
      return AddModel(event.model_result());
    case v1::Event::kClarification:
      return AddQuestion(event);
    case v1::Event::kCompleted:
      end_ = {v1::SESSION_STATUS_COMPLETED, BeginningOf(ToJson(event.completed().result()))};
      return;
    case v1::Event::kError:
      if (event.error().final()) {
        end_ = {v1::SESSION_STATUS_FAILED, BeginningOf(event.error().message())};
      }
      return;
    case v1::Event::kCustom:
    case v1::Event::KIND_NOT_SET:
      return;
  }
}

void WatchState::StartOver(const v1::Snapshot& snapshot) {
  progress_.reset();
  models_.clear();
  questions_.clear();
  models_forgotten_ = snapshot.model_results_left_out();
  questions_forgotten_ = snapshot.clarifications_left_out();
  end_.reset();
  AddLine(absl::StrCat("the events after #", sequence_,
                       " are not kept any more; the state so far, then what is new:"));
  for (const v1::Event& event : snapshot.events()) Add(event);
  sequence_ = snapshot.position().sequence();
}

void WatchState::SetConnection(Connection connection, Clock::time_point now) {
  if (connection_ == connection) return;
  connection_ = connection;
  connection_since_ = now;
}

v1::SessionStatus WatchState::status() const {
  if (end_) return end_->status;
  return progress_ ? progress_->status() : v1::SESSION_STATUS_UNSPECIFIED;
}

void WatchState::AddProgress(const v1::Progress& progress) {
  progress_.emplace();
  progress_->set_status(progress.status());
  progress_->set_percent(progress.percent());
  if (progress.has_prompts()) *progress_->mutable_prompts() = progress.prompts();
  if (progress.status() == v1::SESSION_STATUS_EXPIRED) {
    end_ = {v1::SESSION_STATUS_EXPIRED, "nobody published for the session's time to live"};
  }
}

void WatchState::AddModel(const v1::ModelResult& result) {
  WatchedModel& model = FindOrAdd(
      models_, kModelsMax, models_forgotten_,
      [&](const WatchedModel& other) {
        return other.name == result.model_name() && other.run_id == result.run_id();
      },
      [](const WatchedModel& other) {
        return other.status != v1::MODEL_RESULT_STATUS_PROCESSING;
      });
  model.name = result.model_name();
  model.run_id = result.run_id();
  if (result.has_provider()) model.provider = result.provider();
  model.status = result.status();
  model.duration_ms = result.duration_ms();
  if (result.has_error()) {
    model.text = BeginningOf(result.error());
  } else if (result.status() == v1::MODEL_RESULT_STATUS_PROCESSING) {
    model.text = EndOfLastLine(result.result());
  } else {
    model.text = BeginningOf(result.result());
  }
}

void WatchState::AddQuestion(const v1::Event& event) {
  const v1::Clarification& clarification = event.clarification();
  WatchedQuestion& question = FindOrAdd(
      questions_, kQuestionsMax, questions_forgotten_,
      [&](const WatchedQuestion& other) { return other.id == clarification.clarification_id(); },
      [](const WatchedQuestion& other) {
        return other.status != v1::CLARIFICATION_STATUS_PENDING;
      });
  question.id = clarification.clarification_id();
  question.question = BeginningOf(clarification.question());
  question.status = clarification.status();
  question.response.reset();
  if (clarification.has_response()) question.response = BeginningOf(clarification.response());
  question.until.reset();
  const bool is_open = clarification.status() == v1::CLARIFICATION_STATUS_PENDING;
  if (is_open && clarification.has_time_limit()) {
    question.until = Later(event.time(), clarification.time_limit());
  }
}

void WatchState::AddLine(std::string line) {
  event_lines_.push_back(std::move(line));
  if (event_lines_.size() > kEventLinesMax) event_lines_.pop_front();
}

}  // namespace sessioncast::tool
