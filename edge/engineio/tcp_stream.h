// A TCP connection's descriptor on one I/O thread: waits with Asio, reads and writes without
// blocking. For engineio's own files only.
//
// Threads: its I/O thread only.
// Invariants: at most one wait for reading and one for writing at a time; a closed stream calls
// nothing.
#pragma once

#include <sys/uio.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstddef>
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
  // The descriptor does not block.
  TcpStream(IoThread& thread, OwnedDescriptor descriptor);
  ~TcpStream();
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  // Reads into the thread's scratch space; `bytes` is valid until the next read of anybody on the
  // thread.
  IoResult Read(std::string_view& bytes);
  IoResult Write(const iovec* pieces, size_t count);
  // Takes no more while so many bytes wait in the kernel to be sent (TCP_NOTSENT_LOWAT).
  void SetUnsentMax(int bytes);

  template <typename Handler>
  void WhenReadable(Handler handler) {
    Wait(Descriptor::wait_read, std::move(handler));
  }
  template <typename Handler>
  void WhenWritable(Handler handler) {
    Wait(Descriptor::wait_write, std::move(handler));
  }

  bool is_open() const { return descriptor_.is_open(); }
  // The other side sees the end; reading goes on.
  void ShutdownWriting();
  void Close();
  // Gives the descriptor away; the stream is closed.
  OwnedDescriptor Release();

 private:
  using Descriptor =
      boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

  template <typename Handler>
  void Wait(Descriptor::wait_type what, Handler handler) {
    descriptor_.async_wait(
        what, [handler = std::move(handler)](const boost::system::error_code& error) mutable {
          if (!error) handler();
        });
  }

  IoThread::Loop& loop_;
  Descriptor descriptor_;
};

}  // namespace sessioncast::engineio
