#include "tests/support/history_recorder.h"

#include <openssl/sha.h>

#include <chrono>
#include <cstdlib>
#include <utility>

namespace sessioncast::test {
namespace {

using nlohmann::json;

constexpr int kHashBytes = 8;

std::string TextOf(const google::protobuf::Struct& object) {
  const auto found = object.fields().find("text");
  return found == object.fields().end() ? "" : found->second.string_value();
}

std::string StatusWord(const v1::Clarification& clarification) {
  return v1::ClarificationStatus_descriptor()
      ->FindValueByNumber(clarification.status())
      ->options()
      .GetExtension(v1::browser_word);
}

// kind, of, status, text.
struct Parts {
  std::string kind, of, status, text;
};

Parts PartsOf(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return {"progress", "",
              v1::SessionStatus_descriptor()
                  ->FindValueByNumber(event.progress().status())
                  ->options()
                  .GetExtension(v1::browser_word),
              std::to_string(static_cast<int>(event.progress().percent())) + " " +
                  TextOf(event.progress().result())};
    case v1::Event::kModelResult:
      return {"model_result",
              event.model_result().model_name() + "/" + event.model_result().run_id(),
              v1::ModelResultStatus_descriptor()
                  ->FindValueByNumber(event.model_result().status())
                  ->options()
                  .GetExtension(v1::browser_word),
              event.model_result().result()};
    case v1::Event::kClarification:
      return {"clarification", event.clarification().clarification_id(),
              StatusWord(event.clarification()),
              event.clarification().question() + "|" + event.clarification().response()};
    case v1::Event::kCompleted:
      return {"completed", "", "", TextOf(event.completed().result())};
    case v1::Event::kError:
      return {"error", "", event.error().final() ? "final" : "", event.error().message()};
    case v1::Event::kCustom:
      return {"custom", event.custom().name(), "", TextOf(event.custom().data())};
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return {};
}

std::string Hash(const Parts& parts) {
  const std::string all =
      parts.kind + "\x1f" + parts.of + "\x1f" + parts.status + "\x1f" + parts.text;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest);
  std::string hex;
  for (int i = 0; i < kHashBytes; ++i) {
    char byte[3];
    std::snprintf(byte, sizeof(byte), "%02x", digest[i]);
    hex += byte;
  }
  return hex;
}

}  // namespace

json Identity(const v1::Event& event) {
  const Parts parts = PartsOf(event);
  return Identity(parts.kind, parts.of, parts.status, parts.text);
}

json Identity(const std::string& kind, const std::string& of, const std::string& status,
              const std::string& text) {
  const std::string hash = Hash({kind, of, status, text});
  return {{"kind", kind}, {"of", of}, {"status", status}, {"hash", hash}};
}

HistoryRecorder::HistoryRecorder(const std::string& directory, const std::string& who,
                                 const std::string& role, const std::string& kind)
    : file_(std::fopen((directory + "/" + who + ".jsonl").c_str(), "w")) {
  if (file_ == nullptr) {
    std::perror(directory.c_str());
    std::exit(1);
  }
  Write("participant", {{"who", who}, {"role", role}, {"kind", kind}});
}

HistoryRecorder::~HistoryRecorder() { std::fclose(file_); }

void HistoryRecorder::Write(const std::string& what, json fields) {
  fields["what"] = what;
  const std::lock_guard<std::mutex> lock(mutex_);
  fields["t"] = std::chrono::steady_clock::now().time_since_epoch().count();
  const std::string line = fields.dump() + "\n";
  std::fwrite(line.data(), 1, line.size(), file_);
}

void HistoryRecorder::WriteEvent(const std::string& what, const v1::Event& event, json more) {
  json fields = Identity(event);
  fields.update(more);
  fields["session"] = event.session_id();
  fields["epoch"] = event.position().epoch();
  fields["sequence"] = event.position().sequence();
  fields["time"] = event.time().seconds() * 1'000 + event.time().nanos() / 1'000'000;
  Write(what, std::move(fields));
}

void HistoryRecorder::End() {
  Write("end", json::object());
  std::fflush(file_);
}

}  // namespace sessioncast::test
