// The whole connection machine of the edge, in memory, driven by bytes and time: TCP connections of
// clients, what they send and take, what control and the library's user do. What must hold: each
// response, frame and packet that is written is one; queues and timers are bounded; a thread comes to
// rest; nothing is held once the clients have gone and the time-outs have passed.
//
// An input is a program (connection/program.h). At the end of a run the states that were reached are
// printed; the seeds alone reach all (connection/states.cc).
#include <array>
#include <memory>
#include <utility>

#include "tests/fuzz/connection/client_side.h"
#include "tests/fuzz/connection/program.h"
#include "tests/fuzz/connection/seeds.h"
#include "tests/fuzz/connection/server_side.h"
#include "tests/fuzz/connection/states.h"
#include "tests/fuzz/target.h"
#include "tests/support/client_frame.h"

namespace sessioncast::fuzz {
namespace {

constexpr int kOpsMax = 300;
constexpr uint8_t kAll = 255;
constexpr size_t kLeastKernelBytes = 16;
constexpr char kUnknownSid[] = "AAAAAAAAAAAAAAAAAAAA";

class World {
 public:
  explicit World(std::string_view input) : dice_(input), server_(dice_), program_(input) {
    server_.SetAttached(true);
    server_.Run();
  }

  void RunProgram() {
    for (int ops = 0; ops < kOpsMax && !program_.done() && !stopped_; ++ops) {
      const uint8_t first = program_.Byte();
      Do(static_cast<Op>((first & ~kGoesOn) % static_cast<int>(Op::kOps)));
      if ((first & kGoesOn) == 0) server_.Run();
      if ((first & kGoesOn) == 0) NoteWaiting();
    }
  }

  void LeaveAll() {
    for (int i = 0; i < 2; ++i) {
      for (const auto& client : clients_) {
        if (client != nullptr) client->Take(SIZE_MAX);
      }
      server_.Run();
    }
    for (const auto& client : clients_) {
      if (client != nullptr) client->pipe()->client_left = true;
    }
    server_.Run();
    server_.CheckNothingIsHeld();
  }

 private:
  // A handshake that was asked for is not answered yet.
  void NoteWaiting() {
    const TcpClient* client = std::exchange(handshaker_, nullptr);
    if (client == nullptr) return;
    const engineio::Pipe& pipe = *client->pipe();
    const bool is_there = !pipe.server_left && !pipe.has_no_more();
    if (is_there && pipe.to_client.empty()) NoteState("handshake: waits for its turn");
  }

  void Do(Op op) {
    switch (op) {
      case Op::kTime:
        return server_.Advance(
            std::chrono::milliseconds(kTimesMs[program_.Byte() % std::size(kTimesMs)]));
      case Op::kPublish: {
        static constexpr const char* kSessions[] = {"a", "b", "c"};
        const char* session = kSessions[program_.Byte() % std::size(kSessions)];
        return server_.Publish(session, program_.Byte() % 32);
      }
      case Op::kControl:
        return server_.SetAttached(program_.Byte() != 0);
      case Op::kAct: {
        const size_t which = program_.Byte();
        const size_t what = program_.Byte();
        return server_.Act(which, what, size_t{16} * program_.Byte());
      }
      case Op::kStop:
        stopped_ = true;
        return server_.Stop();
      default:
        return DoOfClient(op, program_.Byte() % kSlots);
    }
  }

  void DoOfClient(Op op, size_t slot) {
    if (op == Op::kOpen) return Open(slot);
    TcpClient* const client = clients_[slot].get();
    if (client == nullptr) return;
    switch (op) {
      case Op::kRaw:
        return client->Send(program_.Text());
      case Op::kRequest:
        return Ask(*client);
      case Op::kRest:
        return client->SendRest();
      case Op::kFrame: {
        const uint8_t first = program_.Byte();
        return client->Send(tests::ClientFrame(first, program_.Text()));
      }
      case Op::kPacket:
        return client->Send(
            tests::ClientFrame(0x81, kPackets[program_.Byte() % std::size(kPackets)]));
      case Op::kTake: {
        const uint8_t bytes = program_.Byte();
        return client->Take(bytes == kAll ? SIZE_MAX : bytes);
      }
      case Op::kRoom:
        client->pipe()->to_client_max = KernelBytes(program_.Byte());
        return;
      case Op::kEnd:
        client->pipe()->client_ended = true;
        return;
      case Op::kLeave:
        client->pipe()->client_left = true;
        return;
      case Op::kReset:
        client->pipe()->client_reset = true;
        return;
      default:
        return;
    }
  }

  static size_t KernelBytes(uint8_t kib) { return kib == 0 ? kLeastKernelBytes : kib * size_t{1024}; }

  void Open(size_t slot) {
    handshaker_ = nullptr;
    if (clients_[slot] != nullptr) clients_[slot]->pipe()->client_left = true;
    clients_[slot] = std::make_unique<TcpClient>(learnt_, KernelBytes(program_.Byte()));
    if (!server_.Connect(clients_[slot]->pipe())) clients_[slot] = nullptr;
  }

  void Ask(TcpClient& client) {
    const auto request =
        static_cast<Request>(program_.Byte() % static_cast<int>(Request::kRequests));
    const uint8_t which = program_.Byte();
    const uint8_t options = program_.Byte();
    const bool is_known = which != kAll && !learnt_.sids.empty();
    const std::string sid = is_known ? learnt_.sids[which % learnt_.sids.size()] : kUnknownSid;
    const bool is_first = request == Request::kHandshake && options == 0 && !client.has_sent();
    if (is_first) handshaker_ = &client;
    const std::string_view body = program_.Text();
    const std::string text = RequestText(request, sid, options, body);
    // Half of its last part.
    const size_t held_back = (body.empty() ? text.size() : body.size()) / 2;
    client.SendPart(text, (options & kInPart) != 0 ? text.size() - held_back : text.size());
  }

  Dice dice_;
  Learnt learnt_;
  ServerSide server_;
  ProgramReader program_;
  std::array<std::unique_ptr<TcpClient>, kSlots> clients_;
  const TcpClient* handshaker_ = nullptr;
  bool stopped_ = false;
};

}  // namespace

std::vector<std::string> Seeds() { return ConnectionSeeds(); }

std::vector<std::string> PrintReached() { return ReachedStates().Print(); }

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  fuzz::World world(fuzz::Text(bytes, size));
  world.RunProgram();
  world.LeaveAll();
  return 0;
}
