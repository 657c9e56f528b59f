#include "tools/sessioncast/web_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sessioncast::tool {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;
using std::chrono::milliseconds;

absl::StatusCode CodeOf(const error_code& error) {
  if (error == beast::error::timeout) return absl::StatusCode::kDeadlineExceeded;
  if (error.category() == asio::error::get_netdb_category()) return absl::StatusCode::kNotFound;
  if (error.category() == asio::error::get_ssl_category()) {
    return ERR_GET_REASON(static_cast<unsigned long>(error.value())) ==
                   SSL_R_CERTIFICATE_VERIFY_FAILED
               ? absl::StatusCode::kUnauthenticated
               : absl::StatusCode::kInternal;
  }
  const bool is_closed = error == http::error::end_of_stream || error == http::error::partial_message;
  if (error.category() == make_error_code(http::error::bad_method).category() && !is_closed)
    return absl::StatusCode::kInternal;
  return absl::StatusCode::kUnavailable;
}

absl::Status ToStatus(std::string_view step, const error_code& error) {
  if (!error) return absl::OkStatus();
  const std::string what = error == beast::error::timeout          ? "nothing in time"
                           : error == http::error::end_of_stream   ? "the peer closed"
                           : error == asio::error::eof             ? "the peer closed"
                                                                   : error.message();
  return absl::Status(CodeOf(error), absl::StrCat(std::string(step), ": ", what));
}

// What all streams of a connection share.
struct Line {
  explicit Line(const WebLimits& of, const WebAddress& to)
      : limits(of), address(to), tls(asio::ssl::context::tls_client), tcp(io) {}

  // Runs one operation to its end; it ends by itself, at the latest when the stream's time is over.
  template <typename Start>
  error_code Run(Start start) {
    error_code result = asio::error::operation_aborted;
    start([&result](error_code error, auto&&...) { result = error; });
    io.restart();
    io.run();
    return result;
  }

  const WebLimits limits;
  const WebAddress address;
  asio::io_context io;
  asio::ssl::context tls;
  beast::tcp_stream tcp;
};

absl::Status ConnectTcp(Line& line) {
  error_code error;
  asio::ip::tcp::resolver resolver(line.io);
  const auto endpoints = resolver.resolve(line.address.host, line.address.port, error);
  if (error) return ToStatus("the name", error);
  line.tcp.expires_after(line.limits.step);
  return ToStatus("connecting", line.Run([&](auto done) {
    line.tcp.async_connect(endpoints, std::move(done));
  }));
}

template <typename Message>
WebResponse ToResponse(const Message& message) {
  return {.code = static_cast<int>(message.result_int()),
          .allow_origin = std::string(message[http::field::access_control_allow_origin]),
          .body = message.body()};
}

template <typename Stream>
class ConnectionOver : public WebConnection {
 public:
  ConnectionOver(std::unique_ptr<Line> line, Stream stream)
      : line_(std::move(line)), stream_(std::move(stream)) {}

  absl::StatusOr<WebResponse> Ask(const WebRequest& request, milliseconds patience) override;
  absl::StatusOr<WebResponse> Upgrade(const WebRequest& request) override;
  absl::Status Send(std::string_view text) override;
  absl::StatusOr<std::string> Receive(milliseconds patience) override;

 private:
  std::unique_ptr<Line> line_;  // before what uses it
  Stream stream_;
  std::optional<websocket::stream<Stream>> socket_;
  beast::flat_buffer buffer_;
};

template <typename Stream>
absl::StatusOr<WebResponse> ConnectionOver<Stream>::Ask(const WebRequest& request,
                                                        milliseconds patience) {
  http::request<http::string_body> message(http::string_to_verb(request.method), request.target,
                                           11);
  message.set(http::field::host, line_->address.HostField());
  message.set(http::field::user_agent, "sessioncast-doctor");
  for (const auto& [name, value] : request.fields) message.set(name, value);
  message.body() = request.body;
  message.prepare_payload();
  beast::get_lowest_layer(stream_).expires_after(patience);
  const error_code wrote =
      line_->Run([&](auto done) { http::async_write(stream_, message, std::move(done)); });
  if (wrote) return ToStatus("asking", wrote);
  http::response_parser<http::string_body> parser;
  parser.body_limit(line_->limits.body_bytes_max);
  const error_code read =
      line_->Run([&](auto done) { http::async_read(stream_, buffer_, parser, std::move(done)); });
  if (read) return ToStatus("the answer", read);
  return ToResponse(parser.get());
}

template <typename Stream>
absl::StatusOr<WebResponse> ConnectionOver<Stream>::Upgrade(const WebRequest& request) {
  beast::get_lowest_layer(stream_).expires_after(line_->limits.step);
  socket_.emplace(std::move(stream_));
  // The time limits are the stream's below.
  socket_->set_option(websocket::stream_base::timeout{websocket::stream_base::none(),
                                                      websocket::stream_base::none(), false});
  socket_->set_option(
      websocket::stream_base::decorator([&request](websocket::request_type& message) {
        for (const auto& [name, value] : request.fields) message.set(name, value);
      }));
  socket_->read_message_max(line_->limits.body_bytes_max);
  websocket::response_type response;
  const error_code error = line_->Run([&](auto done) {
    socket_->async_handshake(response, line_->address.HostField(), request.target,
                             std::move(done));
  });
  if (error && error != websocket::error::upgrade_declined)
    return ToStatus("the websocket's handshake", error);
  return ToResponse(response);
}

template <typename Stream>
absl::Status ConnectionOver<Stream>::Send(std::string_view text) {
  beast::get_lowest_layer(*socket_).expires_after(line_->limits.step);
  socket_->text(true);
  return ToStatus("sending", line_->Run([&](auto done) {
    socket_->async_write(asio::buffer(text), std::move(done));
  }));
}

template <typename Stream>
absl::StatusOr<std::string> ConnectionOver<Stream>::Receive(milliseconds patience) {
  beast::get_lowest_layer(*socket_).expires_after(patience);
  const error_code error =
      line_->Run([&](auto done) { socket_->async_read(buffer_, std::move(done)); });
  if (error == websocket::error::closed) {
    return absl::UnavailableError(absl::StrCat("the peer closed the websocket, code ",
                                               static_cast<int>(socket_->reason().code)));
  }
  if (error) return ToStatus("waiting for a message", error);
  std::string text = beast::buffers_to_string(buffer_.data());
  buffer_.consume(buffer_.size());
  return text;
}

absl::StatusOr<std::unique_ptr<WebConnection>> OpenTls(std::unique_ptr<Line> line) {
  using Stream = beast::ssl_stream<beast::tcp_stream>;
  error_code error;
  line->tls.set_default_verify_paths(error);
  if (!error && !line->limits.ca_file.empty()) {
    line->tls.load_verify_file(line->limits.ca_file, error);
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat("the CA's file: ", error.message()));
  line->tls.set_verify_mode(asio::ssl::verify_peer, error);
  Stream stream(std::move(line->tcp), line->tls);
  SSL_set_tlsext_host_name(stream.native_handle(), line->address.host.c_str());
  stream.set_verify_callback(asio::ssl::host_name_verification(line->address.host), error);
  const error_code shaken = line->Run([&](auto done) {
    stream.async_handshake(asio::ssl::stream_base::client, std::move(done));
  });
  if (shaken) {
    const long verified = SSL_get_verify_result(stream.native_handle());
    const absl::Status status = ToStatus("TLS", shaken);
    if (absl::IsDeadlineExceeded(status)) return status;
    if (!absl::IsUnauthenticated(status)) return absl::InternalError(status.message());
    return absl::UnauthenticatedError(
        absl::StrCat("TLS: its certificate is not trusted: ", X509_verify_cert_error_string(verified)));
  }
  return std::make_unique<ConnectionOver<Stream>>(std::move(line), std::move(stream));
}

absl::StatusOr<WebAddress> SplitHostPort(absl::string_view text, std::string_view default_port) {
  WebAddress address;
  const size_t colon = text.rfind(':');
  const bool has_port =
      colon != absl::string_view::npos && text.find(']', colon) == absl::string_view::npos;
  absl::string_view host = has_port ? text.substr(0, colon) : text;
  address.port = has_port ? std::string(text.substr(colon + 1)) : std::string(default_port);
  if (absl::ConsumePrefix(&host, "[") != absl::ConsumeSuffix(&host, "]"))
    return absl::InvalidArgumentError("a bracket is missing");
  address.host = std::string(host);
  const bool is_bracketed = host.data() != text.data();
  if (absl::StrContains(host, '/') || (!is_bracketed && absl::StrContains(host, ':')))
    return absl::InvalidArgumentError("must be HOST:PORT; an IPv6 address in brackets");
  int port = 0;
  if (address.host.empty()) return absl::InvalidArgumentError("the host is missing");
  if (!absl::SimpleAtoi(address.port, &port) || port < 1 || port > 65'535)
    return absl::InvalidArgumentError("the port must be 1..65535");
  return address;
}

}  // namespace

std::string WebAddress::HostField() const {
  const std::string name = absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host;
  return port == (is_tls ? "443" : "80") ? name : absl::StrCat(name, ":", port);
}

absl::StatusOr<WebAddress> ParseUrl(std::string_view url) {
  absl::string_view rest(url.data(), url.size());
  const bool is_tls = absl::ConsumePrefix(&rest, "https://");
  if (!is_tls && !absl::ConsumePrefix(&rest, "http://"))
    return absl::InvalidArgumentError("must begin with http:// or https://");
  absl::ConsumeSuffix(&rest, "/");
  if (rest.find_first_of("/?#@") != absl::string_view::npos)
    return absl::InvalidArgumentError("must be a scheme, a host and a port, without a path");
  absl::StatusOr<WebAddress> address = SplitHostPort(rest, is_tls ? "443" : "80");
  if (address.ok()) address->is_tls = is_tls;
  return address;
}

absl::StatusOr<WebAddress> ParseHostPort(std::string_view text) {
  return SplitHostPort({text.data(), text.size()}, "");
}

absl::StatusOr<std::unique_ptr<WebConnection>> WebConnection::Open(const WebAddress& address,
                                                                   const WebLimits& limits) {
  auto line = std::make_unique<Line>(limits, address);
  if (absl::Status status = ConnectTcp(*line); !status.ok()) return status;
  if (address.is_tls) return OpenTls(std::move(line));
  beast::tcp_stream stream = std::move(line->tcp);
  return std::make_unique<ConnectionOver<beast::tcp_stream>>(std::move(line), std::move(stream));
}

}  // namespace sessioncast::tool
