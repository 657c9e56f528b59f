// `publish`: one event from flags, or many from JSON lines on standard input.
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "tools/sessioncast/commands.h"
#include "tools/sessioncast/print.h"

namespace sessioncast::tool {
namespace {

constexpr size_t kLinesABatchMax = 256;
constexpr size_t kLineBytesMax = 2 * 1024 * 1024;
constexpr std::chrono::milliseconds kRetryPause{200};

struct PublishOptions {
  Target target;
  std::string session_id;
  std::optional<double> progress;
  std::string status;
  std::string model_result, result, provider, run_id, model_error;
  uint64_t duration_ms = 0;
  std::string clarification, question;
  std::optional<int64_t> time_limit_ms;
  std::optional<std::string> default_response;
  std::optional<std::string> completed;
  std::optional<std::string> error;
  bool final = false;
  std::string custom, payload;
  std::string idempotency_key;
};

std::string RandomKey() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x", random(), random(), random());
}

absl::Status ToStruct(const std::string& flag, const std::string& json,
                      google::protobuf::Struct* result) {
  const auto status =
      google::protobuf::util::JsonStringToMessage(json.empty() ? "{}" : json, result);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": must be a JSON object: ", std::string(status.message())));
}

// The enum value whose browser word is `word`, ASCII case ignored.
absl::StatusOr<int> FromWord(const google::protobuf::EnumDescriptor* descriptor,
                             const std::string& word) {
  std::string words;
  for (int i = 1; i < descriptor->value_count(); ++i) {
    const std::string& known = descriptor->value(i)->options().GetExtension(v1::browser_word);
    if (CLI::detail::to_lower(known) == CLI::detail::to_lower(word))
      return descriptor->value(i)->number();
    absl::StrAppend(&words, words.empty() ? "" : ", ", known);
  }
  return absl::InvalidArgumentError(absl::StrCat("--status: must be one of ", words));
}

absl::Status FillModelResult(const PublishOptions& options, v1::ModelResult& result) {
  const auto status = FromWord(v1::ModelResultStatus_descriptor(),
                               options.status.empty() ? "completed" : options.status);
  if (!status.ok()) return status.status();
  result.set_model_name(options.model_result);
  result.set_status(static_cast<v1::ModelResultStatus>(*status));
  result.set_result(options.result);
  result.set_duration_ms(options.duration_ms);
  if (!options.provider.empty()) result.set_provider(options.provider);
  if (!options.run_id.empty()) result.set_run_id(options.run_id);
  if (!options.model_error.empty()) result.set_error(options.model_error);
  return absl::OkStatus();
}

// The event that the flags describe; nothing if no flag names a kind.
absl::StatusOr<std::optional<v1::Event>> FromFlags(const PublishOptions& options) {
  v1::Event event;
  event.set_session_id(options.session_id);
  if (options.progress.has_value()) {
    const auto status = FromWord(v1::SessionStatus_descriptor(),
                                 options.status.empty() ? "PROCESSING" : options.status);
    if (!status.ok()) return status.status();
    event.mutable_progress()->set_percent(*options.progress);
    event.mutable_progress()->set_status(static_cast<v1::SessionStatus>(*status));
  } else if (!options.model_result.empty()) {
    absl::Status status = FillModelResult(options, *event.mutable_model_result());
    if (!status.ok()) return status;
  } else if (!options.clarification.empty()) {
    v1::Clarification& clarification = *event.mutable_clarification();
    clarification.set_clarification_id(options.clarification);
    clarification.set_question(options.question);
    clarification.set_status(v1::CLARIFICATION_STATUS_PENDING);
    if (options.time_limit_ms.has_value()) {
      clarification.mutable_time_limit()->set_seconds(*options.time_limit_ms / 1000);
      clarification.mutable_time_limit()->set_nanos(
          static_cast<int32_t>(*options.time_limit_ms % 1000 * 1'000'000));
    }
    if (options.default_response) clarification.set_default_response(*options.default_response);
  } else if (options.completed.has_value()) {
    absl::Status status =
        ToStruct("completed", *options.completed, event.mutable_completed()->mutable_result());
    if (!status.ok()) return status;
  } else if (options.error.has_value()) {
    event.mutable_error()->set_message(*options.error);
    event.mutable_error()->set_final(options.final);
  } else if (!options.custom.empty()) {
    event.mutable_custom()->set_name(options.custom);
    absl::Status status =
        ToStruct("payload", options.payload, event.mutable_custom()->mutable_data());
    if (!status.ok()) return status;
  } else {
    return std::nullopt;
  }
  return event;
}

// An Event in proto JSON, with an optional "idempotencyKey" beside.
absl::StatusOr<v1::PublishEventRequest> FromLine(const std::string& line,
                                                 const std::string& session_id) {
  nlohmann::json object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("is not a JSON object");
  v1::PublishEventRequest request;
  if (const auto key = object.find("idempotencyKey"); key != object.end()) {
    if (!key->is_string()) return absl::InvalidArgumentError("idempotencyKey: must be a string");
    request.set_idempotency_key(key->get<std::string>());
    object.erase(key);
  }
  const auto status =
      google::protobuf::util::JsonStringToMessage(object.dump(), request.mutable_event());
  if (!status.ok()) return absl::InvalidArgumentError(std::string(status.message()));
  if (request.event().session_id().empty()) request.mutable_event()->set_session_id(session_id);
  // So that a lost answer can be asked for again.
  if (request.idempotency_key().empty()) request.set_idempotency_key(RandomKey());
  return request;
}

void PrintAccepted(const v1::PublishEventRequest& request, const v1::PublishEventResponse& accepted,
                   const Target& target) {
  if (target.output == Output::kJson) {
    std::cout << ToJson(accepted) << "\n";
    return;
  }
  std::cout << request.event().session_id() << " #" << accepted.position().sequence()
            << (accepted.duplicate() ? " (was there already)" : "") << "\n";
}

// Publishes the batch, again what may do better then, until every event has its outcome or
// `retry_for` has passed.
ExitCode PublishBatch(Client& client, std::vector<v1::PublishEventRequest> batch,
                      const Target& target) {
  ExitCode result = kDone;
  const auto give_up = std::chrono::steady_clock::now() + target.retry_for;
  while (!batch.empty()) {
    std::vector<v1::PublishOutcome> outcomes;
    absl::Status failure = client.PublishMany(batch, outcomes);
    std::vector<v1::PublishEventRequest> again;
    for (size_t i = 0; i < batch.size(); ++i) {
      if (i >= outcomes.size()) {
        again.push_back(std::move(batch[i]));
        continue;
      }
      if (outcomes[i].has_accepted()) {
        PrintAccepted(batch[i], outcomes[i].accepted(), target);
        continue;
      }
      const v1::Refusal& refused = outcomes[i].refused();
      const absl::Status status(static_cast<absl::StatusCode>(refused.code()), refused.message());
      if (MayTryAgain(status)) {
        again.push_back(std::move(batch[i]));
        failure = status;
      } else {
        result = Fail(status, target);
      }
    }
    std::cout.flush();
    batch = std::move(again);
    if (batch.empty()) break;
    if (!failure.ok() && !MayTryAgain(failure)) return Fail(failure, target);
    if (std::chrono::steady_clock::now() >= give_up) return Fail(failure, target);
    std::this_thread::sleep_for(std::max(kRetryPause, RetryAfter(failure).value_or(kRetryPause)));
  }
  return result;
}

ExitCode PublishLines(Client& client, const PublishOptions& options) {
  std::ios::sync_with_stdio(false);
  ExitCode result = kDone;
  std::vector<v1::PublishEventRequest> batch;
  std::string line;
  for (uint64_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      absl::StatusOr<v1::PublishEventRequest> request =
          line.size() > kLineBytesMax
              ? absl::InvalidArgumentError(absl::StrCat("is longer than ", kLineBytesMax, " bytes"))
              : FromLine(line, options.session_id);
      if (request.ok()) {
        batch.push_back(*std::move(request));
      } else {
        Fail(absl::InvalidArgumentError(
                 absl::StrCat("line ", number, ": ", std::string(request.status().message()))),
             options.target);
        result = kUsage;
      }
    }
    // Whatever has come goes out together; nobody waits for a line that is not there yet.
    if (std::cin.rdbuf()->in_avail() > 0 && batch.size() < kLinesABatchMax) continue;
    if (ExitCode code = PublishBatch(client, std::exchange(batch, {}), options.target);
        code != kDone) {
      result = code;
    }
    if (result == kUnavailable) return result;
  }
  const ExitCode last = PublishBatch(client, std::move(batch), options.target);
  return last == kDone ? result : last;
}

ExitCode Publish(const PublishOptions& options) {
  Client client(OptionsFor(options.target));
  absl::StatusOr<std::optional<v1::Event>> event = FromFlags(options);
  if (!event.ok()) {
    Fail(event.status(), options.target);
    return kUsage;
  }
  if (!event->has_value()) return PublishLines(client, options);
  v1::PublishEventRequest request;
  *request.mutable_event() = **event;
  request.set_idempotency_key(options.idempotency_key.empty() ? RandomKey()
                                                              : options.idempotency_key);
  return PublishBatch(client, {request}, options.target);
}

void AddKindFlags(CLI::App& command, PublishOptions& options) {
  command.add_option("--progress", options.progress, "Percent done, 0..100");
  command.add_option(
      "--status", options.status,
      "Of a progress: ACTIVE, PROCESSING ...; of a model result: processing, completed, failed");
  command.add_option("--model_result", options.model_result, "A model's result: the model's name");
  command.add_option("--result", options.result, "The model's answer so far");
  command.add_option("--duration_ms", options.duration_ms, "How long the model has run");
  command.add_option("--provider", options.provider, "Who runs the model");
  command.add_option("--run_id", options.run_id,
                     "Tells results of one model for several prompts apart");
  command.add_option("--model_error", options.model_error,
                     "Why the model failed (--status=failed)");
  command.add_option("--clarification", options.clarification, "A question to the human: its id");
  command.add_option("--question", options.question, "The question");
  command.add_option("--time_limit_ms", options.time_limit_ms, "How long the question stays open");
  command.add_option("--default_response", options.default_response,
                     "What counts as the answer then");
  command.add_option("--completed", options.completed,
                     "The session is done: its result, a JSON object");
  command.add_option("--error", options.error, "Something went wrong: what");
  command.add_flag("--final", options.final, "The session ends with the error");
  command.add_option("--custom", options.custom, "An event of your own: its name");
  command.add_option("--payload", options.payload, "Of the event of your own: a JSON object");
}

}  // namespace

void AddPublish(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "publish",
      "Publish one event from flags, or many from JSON lines on standard input\n"
      "  sessioncast publish job-1 --progress=45\n"
      "  echo '{\"sessionId\":\"job-1\",\"completed\":{\"result\":{\"ok\":true}}}' | sessioncast "
      "publish");
  const auto options = std::make_shared<PublishOptions>();
  AddTargetFlags(*command, options->target);
  command->add_option("session", options->session_id, "The session's id (of lines that have none)");
  AddKindFlags(*command, *options);
  command->add_option("--idempotency_key", options->idempotency_key,
                      "A second publish with the same key stores nothing");
  command->callback([options, &exit_code] { exit_code = Publish(*options); });
}

}  // namespace sessioncast::tool
