// A job runner: streams a model's tokens and the job's progress, asks the human a question, gives the
// results of two models, and completes.
//
//   publish [SESSION] [HOST:PORT]        then look at http://localhost:3000/?session=SESSION
#include <iostream>
#include <string>

#include "sessioncast/publisher.h"

using sessioncast::Publisher;
namespace v1 = sessioncast::v1;

namespace {

v1::Event EventOf(const std::string& session) {
  v1::Event event;
  event.set_session_id(session);
  return event;
}

v1::Event Progress(const std::string& session, double percent) {
  v1::Event event = EventOf(session);
  event.mutable_progress()->set_status(v1::SESSION_STATUS_PROCESSING);
  event.mutable_progress()->set_percent(percent);
  return event;
}

// One model answers, a token at a time.
void RunModel(Publisher& publisher, const std::string& session, const std::string& model) {
  std::string text;
  for (const char* token : {"The ", "answer ", "is ", "42", "."}) {
    text += token;
    v1::Event delta = EventOf(session);
    delta.mutable_custom()->set_name("token");
    auto& fields = *delta.mutable_custom()->mutable_data()->mutable_fields();
    fields["modelName"].set_string_value(model);
    fields["delta"].set_string_value(token);
    publisher.PublishSoon(delta);  // in order, many in one message, with what comes next
  }
  v1::Event result = EventOf(session);
  result.mutable_model_result()->set_model_name(model);
  result.mutable_model_result()->set_status(v1::MODEL_RESULT_STATUS_COMPLETED);
  result.mutable_model_result()->set_result(text);
  result.mutable_model_result()->set_duration_ms(1'200);
  publisher.PublishSoon(result);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string session = argc > 1 ? argv[1] : "my-session";
  Publisher publisher({.control = argc > 2 ? argv[2] : "localhost:50051"});

  publisher.PublishSoon(Progress(session, 0));
  RunModel(publisher, session, "llama3.1:8b");
  publisher.PublishSoon(Progress(session, 40));
  // Before the question, which goes by itself.
  if (const absl::Status all = publisher.Flush(); !all.ok()) {
    std::cerr << all << "\n";
    return 1;
  }

  v1::AskClarificationRequest question;
  question.set_session_id(session);
  question.set_question("Go on with the second model?");
  question.mutable_time_limit()->set_seconds(60);
  question.set_default_response("yes");
  const auto answer = publisher.AskClarification(question);  // waits for the human
  if (!answer.ok()) {
    std::cerr << answer.status() << "\n";
    return 1;
  }
  std::cout << "answered: " << answer->response() << "\n";

  RunModel(publisher, session, "mistral:7b");
  publisher.PublishSoon(Progress(session, 100));
  v1::Event completed = EventOf(session);
  (*completed.mutable_completed()->mutable_result()->mutable_fields())["models"].set_number_value(2);
  publisher.PublishSoon(completed);
  if (const absl::Status all = publisher.Flush(); !all.ok()) {  // all is durable now
    std::cerr << all << "\n";
    return 1;
  }
}
