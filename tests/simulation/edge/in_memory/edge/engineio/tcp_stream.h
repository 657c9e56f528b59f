// Takes the place of edge/engineio/tcp_stream.h in the simulation and in the fuzz target `connection`: the same class over bytes in
// memory.
//
// Single-threaded.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "edge/engineio/io_loop.h"
#include "edge/engineio/io_thread.h"
#include "edge/engineio/owned_descriptor.h"

namespace sessioncast::engineio {

struct IoResult {
  enum class Kind { kBytes, kWouldBlock, kEnd, kError };
  Kind kind = Kind::kError;
  size_t bytes = 0;
};

class TcpStream {
 public:
  TcpStream(IoThread& thread, OwnedDescriptor descriptor)
      : loop_(thread.loop()),
        pipe_(std::move(loop_.arriving.extract(descriptor.Release()).mapped())) {
    ++loop_.open_streams;
  }
  ~TcpStream() { Close(); }
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  IoResult Read(std::string_view& bytes) {
    if (pipe_->client_reset) return {IoResult::Kind::kError};
    if (pipe_->to_server.empty()) {
      return {pipe_->has_no_more() ? IoResult::Kind::kEnd : IoResult::Kind::kWouldBlock};
    }
    read_ = std::exchange(pipe_->to_server, {});
    bytes = read_;
    return {IoResult::Kind::kBytes, read_.size()};
  }
  IoResult Write(const iovec* pieces, size_t count) {
    if (pipe_->client_left || pipe_->client_reset) return {IoResult::Kind::kError};
    size_t written = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t room = pipe_->to_client_max - std::min(pipe_->to_client.size(), pipe_->to_client_max);
      const size_t fits = std::min(room, pieces[i].iov_len);
      pipe_->to_client.append(static_cast<const char*>(pieces[i].iov_base), fits);
      written += fits;
      if (fits < pieces[i].iov_len) break;
    }
    if (written == 0) return {IoResult::Kind::kWouldBlock};
    return {IoResult::Kind::kBytes, written};
  }
  void SetUnsentMax(int) {}

  void WhenReadable(std::function<void()> handler) {
    if (is_open()) pipe_->readable = std::move(handler);
  }
  void WhenWritable(std::function<void()> handler) {
    if (is_open()) pipe_->writable = std::move(handler);
  }

  bool is_open() const { return pipe_ != nullptr; }
  void ShutdownWriting() { pipe_->server_left = true; }
  void Close() {
    if (pipe_ == nullptr) return;
    pipe_->server_left = true;
    WaitNoMore();
    pipe_ = nullptr;
  }
  OwnedDescriptor Release() {
    WaitNoMore();
    return OwnedDescriptor(loop_.Arrive(std::exchange(pipe_, nullptr)));
  }

 private:
  // What waits may own this stream: it goes in a later turn.
  void WaitNoMore() {
    --loop_.open_streams;
    loop_.posted.push_back([readable = std::exchange(pipe_->readable, nullptr),
                            writable = std::exchange(pipe_->writable, nullptr)] {});
  }

  IoThread::Loop& loop_;
  std::shared_ptr<Pipe> pipe_;
  std::string read_;
};

}  // namespace sessioncast::engineio
