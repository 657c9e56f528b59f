// What a live view knows of a session: made from its events, whatever the connection does. Bounded,
// however many events come and however long their texts are.
//
// Pure; one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/timestamp.pb.h"
#include "sessioncast/v1/event.pb.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::tool {

// Texts are the publisher's: show them by shown_text.h only.
struct WatchedModel {
  std::string name;
  std::string run_id;
  std::string provider;
  v1::ModelResultStatus status = v1::MODEL_RESULT_STATUS_UNSPECIFIED;
  uint64_t duration_ms = 0;
  // While it writes: of its last line, the end. Then: the beginning of its result, or of its error.
  std::string text;
};

struct WatchedQuestion {
  std::string id;
  std::string question;
  v1::ClarificationStatus status = v1::CLARIFICATION_STATUS_UNSPECIFIED;
  std::optional<std::string> response;
  std::optional<google::protobuf::Timestamp> until;  // its time limit, while it is open
};

struct WatchedEnd {
  v1::SessionStatus status = v1::SESSION_STATUS_UNSPECIFIED;
  std::string text;  // the result, as JSON, or the error
};

class WatchState {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Connection { kConnecting, kLive, kAway };

  static constexpr size_t kModelsMax = 200;
  static constexpr size_t kQuestionsMax = 200;
  static constexpr size_t kEventLinesMax = 200;
  static constexpr size_t kTextBytesMax = 4'096;

  // `sequence`: the last that need not be shown.
  explicit WatchState(std::string session_id, uint64_t sequence = 0);

  void Add(const v1::Event& event);
  // The events after the last one are gone: forgets all, and begins with this.
  void StartOver(const v1::Snapshot& snapshot);
  void SetConnection(Connection connection, Clock::time_point now);

  const std::string& session_id() const { return session_id_; }
  uint64_t sequence() const { return sequence_; }
  Connection connection() const { return connection_; }
  Clock::time_point connection_since() const { return connection_since_; }
  // The last; of an ended session its end's.
  v1::SessionStatus status() const;
  // Status, percent and prompts of the last.
  const std::optional<v1::Progress>& progress() const { return progress_; }
  // In the order in which they came.
  const std::vector<WatchedModel>& models() const { return models_; }
  const std::vector<WatchedQuestion>& questions() const { return questions_; }
  // Those that are not shown since there were too many; ended ones went first.
  size_t models_forgotten() const { return models_forgotten_; }
  size_t questions_forgotten() const { return questions_forgotten_; }
  // For people, harmless, the newest last.
  const std::deque<std::string>& event_lines() const { return event_lines_; }
  const std::optional<WatchedEnd>& end() const { return end_; }

 private:
  void AddProgress(const v1::Progress& progress);
  void AddModel(const v1::ModelResult& result);
  void AddQuestion(const v1::Event& event);
  void AddLine(std::string line);

  const std::string session_id_;
  uint64_t sequence_;
  Connection connection_ = Connection::kConnecting;
  Clock::time_point connection_since_;
  std::optional<v1::Progress> progress_;
  std::vector<WatchedModel> models_;
  std::vector<WatchedQuestion> questions_;
  size_t models_forgotten_ = 0;
  size_t questions_forgotten_ = 0;
  std::deque<std::string> event_lines_;
  std::optional<WatchedEnd> end_;
};

}  // namespace sessioncast::tool
