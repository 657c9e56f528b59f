// `doctor`: whether a running deployment does what its users need, step by step, and what to do where
// it does not.
//
// Threads: one; blocking, each step with its time limit.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json.hpp"
#include "sessioncast/client.h"
#include "tools/sessioncast/commands.h"
#include "tools/sessioncast/doctor_report.h"
#include "tools/sessioncast/socket_probe.h"
#include "tools/sessioncast/web_connection.h"

namespace sessioncast::tool {

struct DoctorOptions {
  Target target;
  std::vector<std::string> edges = {"http://localhost:3000"};
  std::string edge_ca;
  std::string origin;
  std::string session_id;
  std::chrono::milliseconds step_timeout{5'000};
  std::chrono::milliseconds hold{0};
};

// What an edge is asked with.
struct EdgeCalls {
  absl::StatusOr<WebResponse> Get(const std::string& target, const WebFields& fields = {}) const;
  // The beginning of what a peer sent, without our token in it.
  std::string Excerpt(absl::string_view text) const;

  std::string url;
  WebAddress address;
  WebLimits limits;
  // Of Socket.IO's CONNECT; browsers need not ask for recovery.
  nlohmann::json auth = {{"recovery", true}};
  std::string token;  // "": none
};

// How a socket comes about.
enum class Way { kPolling, kWebsocket, kUpgrade };
std::string_view NameOf(Way way);

// A socket that stands, for the round trip.
struct OpenSocket {
  const EdgeCalls* edge;
  Way way;
  std::unique_ptr<SocketProbe> probe;
};

// Whether it can be published to.
bool CheckControl(const DoctorOptions& options, Client& client, Report& report);

// The sockets that came about.
std::vector<OpenSocket> CheckEdge(const DoctorOptions& options, const EdgeCalls& edge,
                                  Report& report);

// From publish to each socket, back after a drop, and by REST.
void CheckRoundTrip(const DoctorOptions& options, Client& client, std::vector<OpenSocket>& sockets,
                    Report& report);

// Whether connections on which only pings pass are left alone for so long.
void CheckIdle(const DoctorOptions& options, const EdgeCalls& edge, Report& report);

// "3.1 ms".
std::string InMs(std::chrono::steady_clock::duration time);

}  // namespace sessioncast::tool
