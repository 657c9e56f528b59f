#include "tests/simulation/edge/naive_control.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sessioncast::test {
namespace {

constexpr uint32_t kPadBytesMax = 10'000;
constexpr uint64_t kFewEvents = 4;

edge::Position PositionOf(const NaiveLife& life, uint64_t sequence) { return {life.epoch, sequence}; }

}  // namespace

NaiveControl::NaiveControl(Scheduler& scheduler, std::vector<std::string> sessions)
    : scheduler_(scheduler), sessions_(std::move(sessions)) {
  for (const std::string& session_id : sessions_) {
    lives_[session_id].emplace_back().session_id = session_id;
  }
}

// ---- what happens

void NaiveControl::Act() {
  const std::string& session_id =
      sessions_[scheduler_.Pick(static_cast<uint32_t>(sessions_.size()))];
  NaiveLife& life = lives_[session_id].back();
  const uint32_t what = scheduler_.Pick(200);
  if (what == 0 || (life.Ended() && what < 10)) return Lose(session_id);
  if (what < 6) return Trim(life);
  if (!life.Ended()) Publish(life);
}

v1::Event NaiveControl::NewEvent(const std::string& label) {
  v1::Event event;
  const auto put = [&](google::protobuf::Struct& data) {
    (*data.mutable_fields())["label"].set_string_value(label);
    if (!scheduler_.Chance(60)) return;
    (*data.mutable_fields())["pad"].set_string_value(
        std::string(scheduler_.Pick(kPadBytesMax), 'x'));
  };
  switch (scheduler_.Pick(scheduler_.Chance(2) ? 7 : 6)) {
    case 0:
    case 1:
      put(*event.mutable_progress()->mutable_result());
      event.mutable_progress()->set_status(v1::SESSION_STATUS_PROCESSING);
      break;
    case 2:
      event.mutable_model_result()->set_model_name(absl::StrCat("m", scheduler_.Pick(3)));
      event.mutable_model_result()->set_result(label);
      event.mutable_model_result()->set_status(
          static_cast<v1::ModelResultStatus>(1 + scheduler_.Pick(3)));
      break;
    case 3:
      event.mutable_error()->set_message(label);
      break;
    case 4:
      event.mutable_clarification()->set_clarification_id(absl::StrCat("q", ++questions_));
      event.mutable_clarification()->set_question(label);
      event.mutable_clarification()->set_status(v1::CLARIFICATION_STATUS_PENDING);
      break;
    case 5:
      event.mutable_custom()->set_name("token");
      put(*event.mutable_custom()->mutable_data());
      break;
    default:
      put(*event.mutable_completed()->mutable_result());
  }
  return event;
}

void NaiveControl::Publish(NaiveLife& life) {
  if (life.epoch.empty()) life.epoch = absl::StrFormat("epoch%03d", ++epochs_);
  v1::Event event = NewEvent(absl::StrCat("event ", ++published_));
  event.set_session_id(life.session_id);
  event.mutable_position()->set_epoch(life.epoch);
  event.mutable_position()->set_sequence(life.top() + 1);
  *event.mutable_time() = control::ToTimestamp(scheduler_.now());
  life.events.push_back({std::move(event), absl::StrCat("event ", published_)});
}

void NaiveControl::Trim(NaiveLife& life) {
  if (life.top() < life.first + kFewEvents) return;
  life.first += 1 + scheduler_.Pick(static_cast<uint32_t>(life.top() - life.first));
}

// The log comes back short, or is deleted: its events have a new epoch, or there are none.
void NaiveControl::Lose(const std::string& session_id) {
  NaiveLife next = lives_[session_id].back();
  const uint32_t kept =
      scheduler_.Chance(50) ? scheduler_.Pick(static_cast<uint32_t>(next.top()) + 1) : 0;
  if (next.events.empty()) return;
  next.events.resize(kept);
  next.epoch = kept > 0 ? absl::StrFormat("epoch%03d", ++epochs_) : "";
  if (next.first > kept) next.first = 1;
  for (NaiveEvent& event : next.events) {
    event.event.mutable_position()->set_epoch(next.epoch);
  }
  lives_[session_id].push_back(std::move(next));
}

// ---- what is asked

const NaiveLife* NaiveControl::Find(const std::string& session_id, const std::string& epoch) const {
  for (const NaiveLife& life : lives_.at(session_id)) {
    if (life.epoch == epoch && !epoch.empty()) return &life;
  }
  return nullptr;
}

edge::Position NaiveControl::TopOf(const std::string& session_id) const {
  const NaiveLife& life = Current(session_id);
  return PositionOf(life, life.top());
}

const std::vector<uint64_t>& NaiveControl::FoldOf(const NaiveLife& life, uint64_t through) const {
  const auto [fold, is_new] = folds_.try_emplace({life.epoch, through});
  if (is_new) fold->second = life.Fold(through);
  return fold->second;
}

bool NaiveControl::Has(const std::string& session_id, const edge::Position& position) const {
  const NaiveLife& life = Current(session_id);
  const bool from_start = position.epoch.empty() && position.sequence == 0;
  if (life.events.empty()) return from_start;
  if (position.epoch != life.epoch && !from_start) return false;
  return position.sequence <= life.top() && position.sequence + 1 >= life.first;
}

edge::Page NaiveControl::Read(const edge::ReadRequest& request) {
  const NaiveLife& life = Current(request.session_id);
  return request.from.kind == edge::Place::Kind::kAfter ? ReadLog(request, life)
                                                        : ReadFold(request, life);
}

edge::Page NaiveControl::ReadLog(const edge::ReadRequest& request, const NaiveLife& life) {
  edge::Page page{edge::Page::Outcome::kPage, TopOf(request.session_id), 0, {}};
  if (!Has(request.session_id, request.from.position)) {
    page.outcome = edge::Page::Outcome::kOutOfRange;
    return page;
  }
  const uint64_t after = request.from.position.sequence;
  const uint64_t scanned_max = 1 + scheduler_.Pick(40);
  size_t bytes = 0;
  page.through = after;
  while (page.through < life.top() && page.through < after + scanned_max) {
    const size_t more = life.At(page.through + 1).event.ByteSizeLong();
    if (page.through > after && bytes + more > request.page_bytes_max) break;
    bytes += more;
    ++page.through;
  }
  for (uint64_t sequence = after + 1; sequence <= page.through; ++sequence) {
    const v1::Event& event = life.At(sequence).event;
    if (request.conflated && life.IsSuperseded(sequence, page.through)) continue;
    page.events.push_back(event.SerializeAsString());
  }
  return page;
}

edge::Page NaiveControl::ReadFold(const edge::ReadRequest& request, const NaiveLife& life) {
  edge::Page page{edge::Page::Outcome::kPage, TopOf(request.session_id), life.top(), {}};
  if (request.fold_through > 0) {
    page.through = request.fold_through;
    if (!Has(request.session_id, {request.from.position.epoch, request.fold_through})) {
      page.outcome = edge::Page::Outcome::kOutOfRange;
      return page;
    }
  }
  size_t bytes = 0;
  uint64_t last = 0;
  for (const uint64_t sequence : FoldOf(life, life.top())) {
    if (sequence <= request.from.position.sequence) continue;
    if (sequence > page.through) break;
    const std::string event = life.At(sequence).event.SerializeAsString();
    if (!page.events.empty() &&
        (bytes + event.size() > request.page_bytes_max || scheduler_.Chance(10))) {
      page.through = last;
      break;
    }
    bytes += event.size();
    page.events.push_back(event);
    last = sequence;
  }
  return page;
}

// ---- the line

edge::Hub::Upward ControlLine::MakeUpward() {
  return {
      .begin =
          [this](uint32_t interest_id, const std::string& session_id) {
            interests_[interest_id] = {session_id, std::nullopt};
          },
      .end = [this](uint32_t interest_id) { interests_.erase(interest_id); },
      .read =
          [this](edge::ReadRequest request) {
            reads_.push_back({std::move(request), std::nullopt});
          },
  };
}

bool ControlLine::Step(edge::Hub& hub) {
  if (!attached_) {
    attached_ = true;
    hub.Attached();
    return true;
  }
  const uint32_t what = scheduler_.Pick(3);
  if (what == 0 && !reads_.empty()) return Answer(hub), true;
  if (what == 1 && !down_.empty()) return Arrive(hub), true;
  if (what == 2 && Gather()) return true;
  if (!down_.empty()) return Arrive(hub), true;
  if (!reads_.empty()) return Answer(hub), true;
  return Gather();
}

// A batch of some interest that has something new.
bool ControlLine::Gather() {
  std::vector<uint32_t> news;
  for (auto& [id, interest] : interests_) {
    if (!interest.at.has_value() || *interest.at != control_.TopOf(interest.session_id)) {
      news.push_back(id);
    }
  }
  if (news.empty()) return false;
  const uint32_t id = news[scheduler_.Pick(static_cast<uint32_t>(news.size()))];
  Interest& interest = interests_[id];
  const NaiveLife& life = control_.Current(interest.session_id);
  Batch batch;
  batch.interest_id = id;
  // The first event of a session that had none comes as it is.
  const bool goes_on = interest.at.has_value() && control_.Has(interest.session_id, *interest.at) &&
                       !scheduler_.Chance(3);
  if (!goes_on) batch.announced = interest.at = control_.TopOf(interest.session_id);
  const uint64_t events = std::min<uint64_t>(life.top() - interest.at->sequence, 1 + scheduler_.Pick(5));
  for (uint64_t i = 0; i < events; ++i) {
    batch.events.push_back(life.At(interest.at->sequence + 1).event.SerializeAsString());
    interest.at = PositionOf(life, interest.at->sequence + 1);
  }
  down_.push_back(std::move(batch));
  return true;
}

void ControlLine::Arrive(edge::Hub& hub) {
  const Batch batch = std::move(down_.front());
  down_.pop_front();
  if (batch.announced.has_value()) hub.Announced(batch.interest_id, *batch.announced);
  hub.Arrived(batch.interest_id, batch.events);
}

// Of some page: it is read, or arrives, or does not.
void ControlLine::Answer(edge::Hub& hub) {
  const uint32_t which = scheduler_.Pick(static_cast<uint32_t>(reads_.size()));
  AskedPage& asked = reads_[which];
  if (!asked.page.has_value()) {
    asked.page = scheduler_.Chance(fail_percent_) ? edge::Page{} : control_.Read(asked.request);
    if (scheduler_.Chance(50)) return;
  }
  const AskedPage answered = std::move(asked);
  reads_.erase(reads_.begin() + which);
  if (answered.page->outcome == edge::Page::Outcome::kUnavailable) retry_ = true;
  hub.PageArrived(answered.request.read_id, *answered.page);
}

void ControlLine::Lose(edge::Hub& hub) {
  if (!std::exchange(attached_, false)) return;
  interests_.clear();
  down_.clear();
  hub.Detached();
  for (uint32_t lost = scheduler_.Pick(static_cast<uint32_t>(reads_.size()) + 1); lost > 0; --lost) {
    const uint64_t read_id = reads_.back().request.read_id;
    reads_.pop_back();
    retry_ = true;
    hub.PageArrived(read_id, edge::Page{});
  }
}

}  // namespace sessioncast::test
