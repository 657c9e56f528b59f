// `ask` and `answer`.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/strings/str_format.h"
#include "tools/sessioncast/commands.h"
#include "tools/sessioncast/print.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

constexpr std::chrono::milliseconds kPauseMin{100};
constexpr std::chrono::milliseconds kPauseMax{2'000};

struct AskOptions {
  Target target;
  std::string session_id, clarification_id, question;
  std::optional<int64_t> time_limit_ms;
  std::optional<std::string> default_response;
};

struct AnswerOptions {
  Target target;
  std::string session_id, clarification_id, response;
};

// A random (version 4) UUID, RFC 9562.
std::string RandomUuid() {
  std::random_device random;
  const uint32_t a = random(), b = random(), c = random(), d = random();
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%04x%08x", a, b >> 16, b & 0xfff, 0x8000 | (c >> 18),
                         c & 0xffff, d);
}

v1::AskClarificationRequest ToRequest(const AskOptions& options) {
  v1::AskClarificationRequest request;
  request.set_session_id(options.session_id);
  request.set_clarification_id(options.clarification_id.empty() ? RandomUuid()
                                                                : options.clarification_id);
  request.set_question(options.question);
  if (options.time_limit_ms.has_value()) {
    request.mutable_time_limit()->set_seconds(*options.time_limit_ms / 1000);
    request.mutable_time_limit()->set_nanos(
        static_cast<int32_t>(*options.time_limit_ms % 1000 * 1'000'000));
  }
  if (options.default_response) request.set_default_response(*options.default_response);
  return request;
}

// Asks again with the same id while control is away or has too much to do, and when the call has
// outlasted its token: that re-attaches to the question.
ExitCode Ask(const AskOptions& options) {
  Client client(OptionsFor(options.target));
  const v1::AskClarificationRequest request = ToRequest(options);
  auto pause = kPauseMin;
  auto give_up = std::chrono::steady_clock::now() + options.target.retry_for;
  while (true) {
    const auto asked = std::chrono::steady_clock::now();
    const auto answer = client.Ask(request);
    if (answer.ok()) {
      if (options.target.output == Output::kJson) {
        std::cout << ToJson(*answer) << std::endl;
      } else if (answer->has_response()) {
        const bool is_seen = isatty(STDOUT_FILENO) == 1;  // else a program has it as it is
        std::cout << (is_seen ? Shown(answer->response()) : answer->response()) << std::endl;
      } else {
        std::cerr << "no answer: the question was "
                  << (answer->status() == v1::CLARIFICATION_STATUS_EXPIRED ? "not answered in time"
                                                                           : "cancelled")
                  << "\n";
      }
      return answer->has_response() ? kDone : kRefused;
    }
    const auto now = std::chrono::steady_clock::now();
    // A call that had stood for a while had a control to talk to.
    if (now - asked > kPauseMax) {
      pause = kPauseMin;
      give_up = now + options.target.retry_for;
    }
    if (!MayTryAgain(answer.status()) || now >= give_up) {
      return Fail(answer.status(), options.target);
    }
    std::this_thread::sleep_for(std::max(pause, RetryAfter(answer.status()).value_or(pause)));
    pause = std::min(pause * 2, kPauseMax);
  }
}

ExitCode Answer(const AnswerOptions& options) {
  Client client(OptionsFor(options.target));
  const auto position =
      client.Answer(options.session_id, options.clarification_id, options.response);
  if (!position.ok()) return Fail(position.status(), options.target);
  if (options.target.output == Output::kJson) {
    std::cout << ToJson(*position) << std::endl;
  } else {
    std::cout << options.session_id << " #" << position->sequence() << "\n";
  }
  return kDone;
}

}  // namespace

void AddAsk(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "ask",
      "Ask a session's human a question, wait, and print the answer (exit code 1: there was none)");
  const auto options = std::make_shared<AskOptions>();
  AddTargetFlags(*command, options->target);
  command->add_option("session", options->session_id, "The session's id")->required();
  command->add_option("--question", options->question, "The question")->required();
  command->add_option("--clarification_id", options->clarification_id,
                      "Asking again with the same id waits for the same question's answer");
  command->add_option("--time_limit_ms", options->time_limit_ms,
                      "How long the question stays open");
  command->add_option("--default_response", options->default_response,
                      "What counts as the answer when the time limit has passed");
  command->callback([options, &exit_code] { exit_code = Ask(*options); });
}

void AddAnswer(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("answer", "Answer a question in the human's place");
  const auto options = std::make_shared<AnswerOptions>();
  AddTargetFlags(*command, options->target);
  command->add_option("session", options->session_id, "The session's id")->required();
  command->add_option("clarification", options->clarification_id, "The question's id")->required();
  command->add_option("response", options->response, "The answer")->required();
  command->callback([options, &exit_code] { exit_code = Answer(*options); });
}

}  // namespace sessioncast::tool
