// A client that leaves in the middle of things: it says one thing at a time, and each sentence
// returns whether it went as it should.
//
// Blocking, as the raw client is. Each object belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/support/raw_client.h"

namespace sessioncast::tests {

class LeakClient {
 public:
  // `path`: "/socket.io/".
  LeakClient(uint16_t port, std::string path, size_t number)
      : port_(port), path_(std::move(path)), number_(number) {}

  // Polling, on one TCP connection that is kept; the second one is for what overlaps.
  bool SendGet() { return SendGetOn(http_); }
  bool SendSecondGet() { return SendGetOn(second_); }
  bool SendPost(std::string_view body);
  // Of the body that is announced half comes; returns when the server waits for the rest.
  bool SendHalfOfPost();
  // The answer to the handshake; takes the sid.
  bool ReadOpen();
  bool ReadAnswer(std::string_view body) { return ReadAnswerOn(http_, 200, body); }
  bool ReadSecondAnswer(std::string_view body) { return ReadAnswerOn(second_, 200, body); }
  // Of two polls at once one is answered that the session is over, the other that it is wrong.
  bool ReadOverlap();
  // Any other request, and the status of its answer.
  bool SendRequest(const RawRequest& request);
  bool SendHttpBytes(std::string_view bytes);
  bool ReadStatus(int status);

  // A websocket: with a sid an upgrade, without one a handshake.
  bool SendWebSocketRequest() { return SendWebSocketRequestAnd(""); }
  // With the probe right behind it.
  bool SendUpgradeAndProbe() { return SendWebSocketRequestAnd(FrameBytes(0x81, "2probe")); }
  // The 101, and of a handshake the open packet too.
  bool ReadWebSocketOpen();
  // Something has come, and is not read.
  bool IsAnswered();
  bool SendFrame(std::string_view text);
  bool SendBytes(std::string_view bytes) { return websocket_->Send(bytes); }
  // A text that begins so.
  bool ReadFrame(std::string_view begin);
  // The close frame, and the end behind it.
  bool ReadEnd();
  // The other side does not wait any more for this one to close.
  bool WriteUntilReset();

  // Ends its TCP connections: one client after the other by FIN or by RST.
  bool LeaveHttp();
  bool LeaveSecond();
  bool LeaveWebSocket();
  // By FIN: what was sent before arrives.
  bool CloseHttp();
  bool CloseWebSocket();
  bool ResetWebSocket();

 private:
  std::string Target(std::string_view transport) const;
  bool Open(std::optional<RawTcp>& tcp);
  bool SendGetOn(std::optional<RawTcp>& tcp);
  bool ReadAnswerOn(std::optional<RawTcp>& tcp, int status, std::string_view body);
  bool SendWebSocketRequestAnd(std::string_view more);
  bool Leave(std::optional<RawTcp>& tcp);
  // The text of the next frame.
  std::optional<std::string> NextFrame(uint8_t first_byte);

  const uint16_t port_;
  const std::string path_;
  const size_t number_;
  std::string sid_;
  std::optional<RawTcp> http_;
  std::optional<RawTcp> second_;
  std::optional<RawTcp> websocket_;
};

}  // namespace sessioncast::tests
