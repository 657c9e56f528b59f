#include "edge/engineio/polling_transport.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "edge/engineio/connection.h"
#include "edge/engineio/utf8.h"

namespace sessioncast::engineio {
namespace {

HttpResponse PayloadResponse(std::string payload) {
  HttpResponse response;
  response.headers = {{"Content-Type", "text/plain; charset=UTF-8"}, {"cache-control", "no-store"}};
  response.body = std::move(payload);
  return response;
}

HttpResponse EmptyResponse(unsigned status) {
  HttpResponse response;
  response.status = status;
  return response;
}

HttpResponse OkResponse() {
  HttpResponse response;
  response.headers = {{"Content-Type", "text/html"}};
  response.body = "ok";
  return response;
}

bool IsBinaryBody(const HttpFields& headers) {
  const std::string_view type = FindField(headers, "Content-Type");
  return absl::StartsWithIgnoreCase(absl::string_view(type.data(), type.size()),
                                    "application/octet-stream");
}

bool IsCompressed(const HttpFields& headers) {
  const std::string_view encoding = FindField(headers, "Content-Encoding");
  return !encoding.empty() && encoding != "identity";
}

}  // namespace

void PollingTransport::OnGet(std::shared_ptr<HttpConnection> http) {
  if (get_) {
    http->Reply(EmptyResponse(400));
    connection_.Fail(DisconnectReason::kTransportError);
    return;
  }
  get_deadline_.Cancel();
  get_ = std::move(http);
  WatchClient(*get_);
  connection_.Flush();
}

void PollingTransport::WatchClient(HttpConnection& http) {
  http.OnGone([weak = connection_.weak_from_this()] {
    if (std::shared_ptr<Connection> connection = weak.lock()) {
      connection->Fail(DisconnectReason::kTransportError);
    }
  });
}

void PollingTransport::Flush(OutQueue& queue) {
  if (get_ && !queue.empty()) {
    std::exchange(get_, nullptr)->Reply(PayloadResponse(TakePayload(queue)));
    connection_.OnQueueTaken();
  } else if (get_ && connection_.is_probed()) {
    EndGet(PacketType::kNoop);
  }
  if (!get_ && !queue.empty()) AwaitGet();
}

// Something waits: the client fetches it in time, or upgrades, or is gone.
void PollingTransport::AwaitGet() {
  if (get_deadline_.pending()) return;
  get_deadline_ = connection_.thread().After(
      connection_.limits().write_timeout, [weak = connection_.weak_from_this()] {
        const std::shared_ptr<Connection> connection = weak.lock();
        if (connection && !connection->uses_websocket()) {
          connection->Fail(DisconnectReason::kSlowConsumer);
        }
      });
}

std::string PollingTransport::TakePayload(OutQueue& queue) {
  std::string payload;
  size_t room = connection_.limits().poll_packets_max;
  for (; !queue.empty() && room > 0; queue.PopFront(), --room) {
    OutPacket& packet = queue.front();
    queue.Complete(packet);
    connection_.ObserveSent(packet);
    AppendToPayload(packet.type, packet.format, packet.head(), payload);
    payload.append(packet.tail());  // only texts have one
  }
  return payload;
}

void PollingTransport::EndGet(PacketType type) {
  if (!get_) return;
  std::exchange(get_, nullptr)->Reply(PayloadResponse(std::string(1, static_cast<char>(type))));
}

void PollingTransport::OnLastGet(std::shared_ptr<HttpConnection> http, OutQueue& queue) {
  if (!queue.empty()) return http->Reply(PayloadResponse(TakePayload(queue)));
  http->Reply(
      PayloadResponse("6\x1e"
                      "1"));
  connection_.OnLastPoll();
}

void PollingTransport::OnPost(std::shared_ptr<HttpConnection> http) {
  const RequestHead& head = http->head();
  if (post_) {
    http->Reply(EmptyResponse(400));
    connection_.Fail(DisconnectReason::kTransportError);
  } else if (IsBinaryBody(head.request.headers)) {
    http->Reply(EmptyResponse(400));
    connection_.Fail(DisconnectReason::kTransportError);
  } else if (IsCompressed(head.request.headers)) {
    http->Reply(EmptyResponse(415));
  } else if (head.content_length > connection_.limits().post_bytes_max) {
    http->CloseAfterReply();
    http->Reply(EmptyResponse(413));
  } else {
    post_ = std::move(http);
    WatchClient(*post_);
    post_->ReadBody([weak = connection_.weak_from_this(), this] {
      if (std::shared_ptr<Connection> connection = weak.lock()) OnBody();
    });
  }
}

void PollingTransport::OnBody() {
  const std::shared_ptr<HttpConnection> http = std::exchange(post_, nullptr);
  if (!http) return;
  http->OnGone(nullptr);
  std::string body = std::move(http->request().body);
  if (!IsUtf8(body)) body = ReplaceBadUtf8(body);
  Deliver(http, std::move(body));
}

void PollingTransport::Deliver(const std::shared_ptr<HttpConnection>& http, std::string body) {
  const std::optional<std::vector<std::string_view>> packets =
      SplitPayload(body, connection_.limits().post_packets_max);
  if (!packets) {
    http->Reply(EmptyResponse(400));
    connection_.Fail(DisconnectReason::kLimit);
    return;
  }
  for (const std::string_view packet : *packets) {
    if (IsTooBig(packet)) return http->Reply(EmptyResponse(413));
  }
  for (const std::string_view text : *packets) {
    const std::optional<Packet> packet = DecodePacket(text);
    if (!packet || !connection_.Receive(*packet)) {
      http->Reply(EmptyResponse(400));
      connection_.Fail(DisconnectReason::kParseError);
      return;
    }
    if (!connection_.is_open()) break;
  }
  http->Reply(OkResponse());
}

bool PollingTransport::IsTooBig(std::string_view packet) const {
  const size_t bytes_max = connection_.limits().frames.message_bytes_max;
  if (packet.substr(0, 1) != "b") return packet.size() > bytes_max;
  const std::string_view base64 = packet.substr(1);
  const size_t padding = base64.size() - (base64.find_last_not_of('=') + 1);
  return base64.size() / 4 * 3 > bytes_max + std::min<size_t>(padding, 2);
}

void PollingTransport::DropPost() {
  if (!post_) return;
  const std::shared_ptr<HttpConnection> http = std::exchange(post_, nullptr);
  http->OnGone(nullptr);
  http->Drop();
}

}  // namespace sessioncast::engineio
