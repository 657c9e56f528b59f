// What control finds on its disk: whatever the bytes are, a value or DATA_LOSS; a value is written
// and read again the same, and a changed bit of it is found out.
//
// An input: the length of a key (a byte), the key, a record; and all of it as a marker's file.
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/commit_marker.h"
#include "control/rocksdb_records.h"
#include "tests/control/events.h"
#include "tests/fuzz/target.h"
#include "tools/daemon/protobuf_log.h"

namespace sessioncast::fuzz {
namespace {

using control::CommitMarker;

// The record as the store would keep it, whatever is in it.
std::string Sealed(std::string_view key, std::string_view record) {
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(key.data()), static_cast<uInt>(key.size()));
  crc = crc32(crc, reinterpret_cast<const Bytef*>(record.data()), static_cast<uInt>(record.size()));
  return control::Number(crc).substr(4).append(record);
}

control::EventRecord ToRecord(const control::StoredEventPtr& event) {
  return control::RecordOf(*event);
}
control::SessionRecord ToRecord(const control::StoredSession& session) {
  return control::RecordOf("s", session);
}
control::FoldRecord ToRecord(const control::FoldState& fold) { return control::RecordOf(fold); }

template <typename Value>
void CheckRecord(absl::StatusOr<Value> (*read)(std::string_view, std::string_view),
                 const std::string& key, std::string_view value) {
  const absl::StatusOr<Value> one = read(key, value);
  if (!one.ok()) {
    Require(absl::IsDataLoss(one.status()), "what is damaged is DATA_LOSS");
    return;
  }
  std::string sealed = control::Seal(key, ToRecord(*one));
  const absl::StatusOr<Value> again = read(key, sealed);
  Require(again.ok() && control::Seal(key, ToRecord(*again)) == sealed,
          "what is written is read the same");
  Require(!read(key + "x", sealed).ok(), "a record belongs to its key");
  Dice dice(value);
  const size_t bit = dice.Roll(8 * sealed.size());
  sealed[bit / 8] = static_cast<char>(sealed[bit / 8] ^ (1 << bit % 8));
  Require(!read(key, sealed).ok(), "a changed bit is found out");
}

void CheckRecords(const std::string& key, std::string_view value) {
  CheckRecord<control::StoredEventPtr>(&control::ReadEvent, key, value);
  CheckRecord<control::StoredSession>(&control::ReadSession, key, value);
  CheckRecord<control::FoldState>(&control::ReadFold, key, value);
}

void CheckDeadline(const std::string& key) {
  const absl::StatusOr<control::Deadline> deadline = control::ReadDeadline(key);
  if (!deadline.ok()) {
    Require(absl::IsDataLoss(deadline.status()), "what is damaged is DATA_LOSS");
  } else if (key.front() == control::kDeadlineTag) {
    const absl::StatusOr<control::Deadline> again =
        control::ReadDeadline(control::DeadlineKey(*deadline));
    Require(again.ok() && again->session_id == deadline->session_id &&
                again->clarification_id == deadline->clarification_id &&
                again->time == deadline->time,
            "a deadline is written as it was read");
  }
}

// A directory with one marker in it.
class MarkerFile {
 public:
  ~MarkerFile() { std::filesystem::remove_all(directory_); }

  void Put(std::string_view bytes) const {
    std::ofstream(directory_ + "/commits.marker", std::ios::binary | std::ios::trunc) << bytes;
  }
  std::unique_ptr<CommitMarker> Open() const {
    auto marker = CommitMarker::Open(directory_);
    Require(marker.ok(), "a marker is opened, whatever is in it");
    return *std::move(marker);
  }

 private:
  const std::string directory_ = [] {
    // In memory if there is such a place: the marker syncs.
    const bool has_memory = std::filesystem::is_directory("/dev/shm");
    std::string name =
        std::string(has_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
        "/fuzz_marker_XXXXXX";
    return std::string(mkdtemp(name.data()));
  }();
};

void CheckMarker(std::string_view bytes) {
  static const MarkerFile file;
  file.Put(bytes);
  std::unique_ptr<CommitMarker> marker = file.Open();
  Require((marker->found() == CommitMarker::Found::kNew) == bytes.empty(), "only no file is new");
  uint64_t commits = marker->commits();
  for (int i = 0; i < 3 && commits < UINT64_MAX; ++i) {
    Require(marker->Write(++commits).ok(), "a mark is written");
    marker = file.Open();
    Require(marker->found() == CommitMarker::Found::kMark && marker->commits() == commits,
            "the last mark is found");
  }
}

std::string Input(const std::string& key, std::string_view value) {
  return std::string(1, static_cast<char>(key.size())).append(key).append(value);
}

std::string MarkerBytes(uint64_t first, uint64_t second) {
  std::string bytes(1'024, '\0');
  const auto put = [&bytes](size_t at, uint64_t commits) {
    const uint64_t checksum = ~static_cast<uint64_t>(
        crc32(0, reinterpret_cast<const Bytef*>(&commits), sizeof(commits)));
    bytes.replace(at, 8, reinterpret_cast<const char*>(&commits), 8);
    bytes.replace(at + 8, 8, reinterpret_cast<const char*>(&checksum), 8);
  };
  put(0, first);
  put(512, second);
  return bytes;
}

control::StoredEventPtr Stored(v1::Event event, uint64_t sequence) {
  *event.mutable_position() = test::PositionAt("k3JxQ0aB", sequence);
  event.mutable_time()->set_seconds(1'795'473'903);
  return control::MakeStoredEvent(event, "key", 5);
}

}  // namespace

std::vector<std::string> Seeds() {
  const control::StoredEventPtr first = Stored(test::ProgressEvent("s", 5), 1);
  const control::StoredEventPtr second = Stored(test::QuestionEvent("s", "q"), 2);
  control::StoredSession session;
  session.position = test::PositionAt("k3JxQ0aB", 2);
  session.status = v1::SESSION_STATUS_PROCESSING;
  session.create_time = session.update_time = absl::FromUnixSeconds(1'795'473'903);
  control::FoldState fold;
  fold.through = 2;
  fold.entries = {first, second};
  const std::string event_key = control::EventKey("s", 1);
  const std::string session_key = control::SessionKey("s");
  const std::string fold_key = control::FoldKey("s");
  const control::Deadline deadline = {absl::FromUnixMillis(1'795'473'903'123), "s", "q"};
  return {"",
          Input("d", ""),
          Input("d1234567", ""),
          Input(control::DeadlineKey(deadline), ""),
          Input(control::DeadlineKey({deadline.time, "s", ""}), ""),
          Input(event_key, control::RecordOf(*first).SerializeAsString()),
          Input(session_key, control::RecordOf("s", session).SerializeAsString()),
          Input(fold_key, control::RecordOf(fold).SerializeAsString()),
          Input(event_key, control::Seal(event_key, control::RecordOf(*first))),
          Input(session_key, control::Seal(session_key, control::RecordOf("s", session))),
          Input(fold_key, control::Seal(fold_key, control::RecordOf(fold))),
          MarkerBytes(7, 8),
          MarkerBytes(9, 8),
          MarkerBytes(UINT64_MAX, 0),
          MarkerBytes(7, 8).substr(0, 512),
          MarkerBytes(7, 8).substr(0, 9),
          std::string(1'024, '\0')};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  daemon::SilenceProtobuf();
  const std::string_view text = fuzz::Text(bytes, size);
  fuzz::CheckMarker(text);
  const size_t key_size = size == 0 ? 0 : std::min<size_t>(bytes[0], size - 1);
  const std::string key(size == 0 ? text : text.substr(1, key_size));
  const std::string_view value = size == 0 ? text : text.substr(1 + key_size);
  fuzz::CheckDeadline(key);
  fuzz::CheckRecords(key, value);
  fuzz::CheckRecords(key, fuzz::Sealed(key, value));
  return 0;
}
