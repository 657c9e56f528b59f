// A namespace: what its user wants to be called for.
//
// Threads: filled before the server starts; read by all I/O threads after.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "edge/socketio/server.h"

namespace sessioncast::socketio {

class NamespaceHandlers : public Namespace {
 public:
  using Middleware = std::function<void(Socket&, Next)>;
  using Identifier = std::function<Identity(Socket&)>;
  using EventHandler = std::function<void(Socket&, const Json&, Ack)>;
  using OtherHandler = std::function<void(Socket&, const std::string&, const Json&, Ack)>;
  using OverRateHandler = std::function<void(Socket&, const RateLimit&, Ack)>;

  explicit NamespaceHandlers(std::string path) : path_(std::move(path)) {}

  void Use(Middleware middleware) override { middlewares_.push_back(std::move(middleware)); }
  void UseRecovery(Identifier identify) override { identify_ = std::move(identify); }
  void OnConnect(std::function<void(Socket&)> handler) override {
    connected_.push_back(std::move(handler));
  }
  void On(std::string_view event, EventHandler handler) override {
    events_.insert_or_assign(std::string(event), std::move(handler));
  }
  void OnOther(OtherHandler handler) override { other_ = std::move(handler); }
  void OnOverRate(OverRateHandler handler) override { over_rate_ = std::move(handler); }
  void OnDisconnect(std::function<void(Socket&, DisconnectReason)> handler) override {
    disconnected_.push_back(std::move(handler));
  }
  void OnDrained(std::function<void(Socket&)> handler) override {
    drained_.push_back(std::move(handler));
  }

  const std::string& path() const { return path_; }
  const std::vector<Middleware>& middlewares() const { return middlewares_; }
  Identity Identify(Socket& socket) const {
    return identify_ ? identify_(socket) : Identity();
  }
  void CallConnected(Socket& socket) const {
    for (const auto& handler : connected_) handler(socket);
  }
  void CallDisconnected(Socket& socket, DisconnectReason reason) const {
    for (const auto& handler : disconnected_) handler(socket, reason);
  }
  void CallOverRate(Socket& socket, const RateLimit& passed, Ack ack) const {
    if (over_rate_) over_rate_(socket, passed, std::move(ack));
  }
  void CallDrained(Socket& socket) const {
    for (const auto& handler : drained_) handler(socket);
  }
  void CallEvent(Socket& socket, const std::string& event, const Json& arguments, Ack ack) const {
    if (const auto handler = events_.find(event); handler != events_.end()) {
      handler->second(socket, arguments, std::move(ack));
    } else if (other_) {
      other_(socket, event, arguments, std::move(ack));
    }
  }

 private:
  const std::string path_;
  std::vector<Middleware> middlewares_;
  Identifier identify_;
  std::vector<std::function<void(Socket&)>> connected_;
  std::map<std::string, EventHandler> events_;
  OtherHandler other_;
  OverRateHandler over_rate_;
  std::vector<std::function<void(Socket&, DisconnectReason)>> disconnected_;
  std::vector<std::function<void(Socket&)>> drained_;
};

}  // namespace sessioncast::socketio
