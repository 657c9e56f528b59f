#include "edge/engineio/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sessioncast::engineio {
namespace {

// A small write is copied together: the kernel takes one piece faster than three.
constexpr size_t kCopiedBytesMax = 2 * 1024;

IoResult FromErrno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    return {IoResult::Kind::kWouldBlock, 0};
  }
  return {IoResult::Kind::kError, 0};
}

}  // namespace

TcpStream::TcpStream(IoThread& thread, OwnedDescriptor descriptor)
    : loop_(thread.loop()), descriptor_(loop_.context.get_executor(), descriptor.Release()) {
  ++loop_.open_streams;
}

TcpStream::~TcpStream() { Close(); }

IoResult TcpStream::Read(std::string_view& bytes) {
  auto& scratch = loop_.scratch;
  const ssize_t size = recv(descriptor_.native_handle(), scratch.data(), scratch.size(), 0);
  if (size < 0) return FromErrno();
  if (size == 0) return {IoResult::Kind::kEnd, 0};
  bytes = std::string_view(scratch.data(), size);
  return {IoResult::Kind::kBytes, static_cast<size_t>(size)};
}

IoResult TcpStream::Write(const iovec* pieces, size_t count) {
  std::array<char, kCopiedBytesMax> together;
  size_t bytes = 0;
  for (size_t i = 0; i < count && bytes <= together.size(); ++i) bytes += pieces[i].iov_len;
  if (bytes <= together.size()) {
    char* end = together.data();
    for (size_t i = 0; i < count; ++i) {
      end = std::copy_n(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len, end);
    }
    const ssize_t size = send(descriptor_.native_handle(), together.data(), bytes,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) return FromErrno();
    return {IoResult::Kind::kBytes, static_cast<size_t>(size)};
  }
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = count;
  const ssize_t size = sendmsg(descriptor_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0) return FromErrno();
  return {IoResult::Kind::kBytes, static_cast<size_t>(size)};
}

void TcpStream::SetUnsentMax(int bytes) {
  setsockopt(descriptor_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void TcpStream::ShutdownWriting() { shutdown(descriptor_.native_handle(), SHUT_WR); }

void TcpStream::Close() {
  if (!descriptor_.is_open()) return;
  --loop_.open_streams;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

OwnedDescriptor TcpStream::Release() {
  --loop_.open_streams;
  return OwnedDescriptor(descriptor_.release());
}

}  // namespace sessioncast::engineio
