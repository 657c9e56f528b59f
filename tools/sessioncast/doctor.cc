#include "tools/sessioncast/doctor.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <random>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace sessioncast::tool {
namespace {

std::string FreshSessionId() {
  std::random_device random;
  return absl::StrFormat("sessioncast-doctor-%08x%08x", random(), random());
}

std::string ReadToken(const std::string& file) {
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  return std::string(absl::StripAsciiWhitespace(text));
}

EdgeCalls CallsOf(const DoctorOptions& options, const std::string& url) {
  EdgeCalls calls;
  calls.url = url;
  calls.address = *ParseUrl(url);
  calls.limits.step = options.step_timeout;
  calls.limits.ca_file = options.edge_ca;
  if (!options.target.credentials.token_file.empty()) {
    calls.token = ReadToken(options.target.credentials.token_file);
    calls.auth["token"] = calls.token;
  }
  return calls;
}

ExitCode Examine(const DoctorOptions& options) {
  Report report(options.target.output);
  ClientOptions client_options = OptionsFor(options.target);
  client_options.call_timeout = options.step_timeout;
  Client client(client_options);
  report.Group(absl::StrCat("control ", options.target.control));
  const bool can_publish = CheckControl(options, client, report);
  std::vector<std::unique_ptr<EdgeCalls>> edges;
  std::vector<OpenSocket> sockets;
  for (const std::string& url : options.edges) {
    edges.push_back(std::make_unique<EdgeCalls>(CallsOf(options, url)));
    report.Group(absl::StrCat("edge ", url));
    std::vector<OpenSocket> opened = CheckEdge(options, *edges.back(), report);
    std::move(opened.begin(), opened.end(), std::back_inserter(sockets));
  }
  report.Group(absl::StrCat("round trip, in session ", options.session_id));
  if (!can_publish) {
    report.Skip("publish", "control is not there");
  } else {
    CheckRoundTrip(options, client, sockets, report);
  }
  for (const auto& edge : edges) {
    if (options.hold.count() == 0) break;
    report.Group(absl::StrCat("idle connections of ", edge->url));
    CheckIdle(options, *edge, report);
  }
  return report.Sum();
}

std::string WhyNoUrl(const std::string& url) {
  return std::string(ParseUrl(url).status().message());
}

}  // namespace

absl::StatusOr<WebResponse> EdgeCalls::Get(const std::string& target,
                                           const WebFields& fields) const {
  auto connection = WebConnection::Open(address, limits);
  if (!connection.ok()) return connection.status();
  return (*connection)->Ask({.target = target, .fields = fields}, limits.step);
}

std::string EdgeCalls::Excerpt(absl::string_view text) const {
  constexpr size_t kBytesMax = 300;
  std::string shown(text);
  if (!token.empty()) absl::StrReplaceAll({{token, "<the token>"}}, &shown);
  return shown.substr(0, kBytesMax);
}

std::string InMs(std::chrono::steady_clock::duration time) {
  return absl::StrFormat("%.1f ms", std::chrono::duration<double, std::milli>(time).count());
}

void AddDoctor(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "doctor",
      "Check a running deployment step by step: control, edges, both transports, from a publish to\n"
      "the sockets; say what to do where it fails (exit code 1)");
  const auto options = std::make_shared<DoctorOptions>();
  AddTargetFlags(*command, options->target);
  command->add_option("--edge", options->edges, "URL of an edge, or of what stands before edges")
      ->envname("SESSIONCAST_EDGE")
      ->check(CLI::Validator(WhyNoUrl, "URL"))
      ->capture_default_str();
  command->add_option("--edge_ca", options->edge_ca,
                      "A file with certificates in PEM, for https, beside those the system trusts")
      ->check(CLI::ExistingFile);
  command->add_option("--origin", options->origin,
                      "The origin of your page, https://app.example.com: whether it may connect");
  command->add_option("--session_id", options->session_id,
                      "The session to publish into, for a token that covers few: a new one, it is "
                      "ended");
  const auto ms = [command](const std::string& name, std::chrono::milliseconds& value,
                            int64_t min, const std::string& help) {
    command
        ->add_option_function<int64_t>(
            name, [&value](int64_t count) { value = std::chrono::milliseconds(count); }, help)
        ->check(CLI::Range(min, int64_t{3'600'000}))
        ->default_str(std::to_string(value.count()));
  };
  ms("--step_timeout_ms", options->step_timeout, 1, "How long a step may take");
  ms("--hold_ms", options->hold, 0,
     "How long to hold idle connections, to find what closes them (60000 finds most)");
  command->callback([options, &exit_code] {
    if (options->session_id.empty()) options->session_id = FreshSessionId();
    exit_code = Examine(*options);
  });
}

}  // namespace sessioncast::tool
