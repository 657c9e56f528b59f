#include "tests/fuzz/connection/seeds.h"

#include "absl/strings/str_cat.h"
#include "tests/fuzz/connection/program.h"
#include "tests/support/client_frame.h"

namespace sessioncast::fuzz {
namespace {

enum : int { kEmit, kEmitBinary, kAsk, kVolatile, kDisconnect, kClose, kCloseByLimit, kAwaitDrain,
             kDrop, kUnsent };

// A polling connection on slot 0, joined to a namespace; slot 1 is there for its polls.
Program Polling(std::string_view join = "40/custom,") {
  return Program()
      .Open(0)
      .Ask(0, Request::kHandshake)
      .Take(0)
      .Open(1)
      .Ask(0, Request::kPost, 0, 0, join)
      .Take(0)
      .Ask(1, Request::kPoll)
      .Take(1);
}

// A websocket on slot 0, joined to a namespace.
Program WebSocket(std::string_view join = "40/custom,", int kib = 64) {
  Program program = Program().Open(0, kib).Ask(0, Request::kHandshakeWebSocket).Take(0);
  for (int i = 0; i < (kib == 0 ? 40 : 0); ++i) program.Take(0);
  program.Packet(0, join).Take(0);
  for (int i = 0; i < (kib == 0 ? 10 : 0); ++i) program.Take(0);
  return program;
}

using Seeds = std::vector<Program>;

Seeds OfPolling() {
  Program overlapping = Polling();
  overlapping.Ask(1, Request::kPoll).Open(2).Ask(2, Request::kPoll).Take(1).Take(2);
  Program posts = Polling();
  posts.Ask(0, Request::kPost, 0, kInPart, "42/custom,1[\"echo\",\"a\"]")
      .Ask(1, Request::kPoll)
      .Add(Op::kRest, {0})
      .Take(0)
      .Take(1);
  Program two_posts = Polling();
  two_posts.Ask(0, Request::kPost, 0, kInPart, "42/custom,1[\"echo\",\"a\"]")
      .Open(2)
      .Ask(2, Request::kPost, 0, 0, "41")
      .Take(2);
  Program late_body = Polling();
  late_body.Ask(0, Request::kPost, 0, kInPart, "42/custom,1[\"echo\",\"a\"]").Time(10'000).Take(0);
  Program waiting = Polling();
  waiting.Add(Op::kAct, {0, kEmit, 4}).Add(Op::kAct, {0, kAwaitDrain, 0}).Time(25'000).Time(35'000);
  Program pinged = Polling();
  pinged.Ask(1, Request::kPoll).Time(25'000).Take(1).Ask(0, Request::kPost, 0, 0, "2").Take(0);
  Program pong = Polling();
  pong.Ask(1, Request::kPoll)
      .Time(25'000)
      .Take(1)
      .Ask(0, Request::kPost, 0, 0, "42/custom,[\"x\"]")
      .Take(0)
      .Ask(0, Request::kPost, 0, 0, "3")
      .Take(0);
  Program binary = Polling();
  binary.Ask(0, Request::kPost, 0, 0,
             "452-/custom,7[\"echo\",{\"_placeholder\":true,\"num\":0},"
             "{\"_placeholder\":true,\"num\":1}]\x1e" "bAQI=\x1e" "bAw==")
      .Ask(1, Request::kPoll)
      .Take(1);
  Program closing = Polling();
  closing.Add(Op::kAct, {0, kClose, 0}).Ask(1, Request::kPoll).Take(1);
  Program closing_with_rest = Polling();
  for (int i = 0; i < 6; ++i) closing_with_rest.Add(Op::kAct, {0, kEmit, 1}).GoOn();
  closing_with_rest.Add(Op::kAct, {0, kClose, 0});
  for (int i = 0; i < 3; ++i) closing_with_rest.Ask(1, Request::kPoll).Take(1);
  Program overflowing = Polling();
  for (int i = 0; i < 12; ++i) overflowing.Add(Op::kAct, {0, kEmit, 255});
  Program slow_reply = Polling();
  slow_reply.Open(2, 0).Ask(2, Request::kPoll).Add(Op::kAct, {0, kEmit, 20}).Take(2);
  slow_reply.Add(Op::kEnd, {2}).Time(35'000);
  Program ended = Polling();
  ended.Ask(1, Request::kPoll).Add(Op::kEnd, {1});
  Program lingering = Polling();
  lingering.Ask(1, Request::kPoll, 0, kCloses).Add(Op::kAct, {0, kEmit, 1}).Take(1);
  Program many = Polling();
  many.Ask(0, Request::kPost, 0, 0, "3\x1e" "3\x1e" "3\x1e" "3\x1e" "3\x1e" "3\x1e" "3\x1e" "3\x1e" "3")
      .Take(0);
  Program bad = Polling();
  bad.Ask(0, Request::kPost, 0, 0, "4x").Take(0);
  Program closed = Polling();
  closed.Ask(1, Request::kPoll).Ask(0, Request::kPost, 0, 0, "1").Take(0).Take(1);
  return {overlapping, posts,  two_posts, late_body,         waiting,     pinged,
          pong,        binary, closing,   closing_with_rest, overflowing, slow_reply,
          ended,       lingering, many,   bad,               closed};
}

Seeds OfUpgrades() {
  const auto begun = [] {
    Program program = Polling();
    program.Ask(1, Request::kPoll).Open(2).Ask(2, Request::kUpgrade).Take(2);
    return program;
  };
  Program whole = begun();
  whole.Packet(2, "2probe").Take(2).Take(1).Packet(2, "5").Take(2);
  whole.Add(Op::kAct, {0, kEmit, 3}).Take(2).Packet(2, "42/custom,5[\"echo\",{\"a\":[1,null]}]").Take(2);
  Program pinged = Polling();
  pinged.Time(25'000).Open(2).Ask(2, Request::kUpgrade).Packet(2, "2probe").Packet(2, "5").Take(2);
  Program never_probed = begun();
  never_probed.Time(10'000).Take(2);
  Program never_finished = begun();
  never_finished.Packet(2, "2probe").Time(10'000).Take(2);
  Program other_packet = begun();
  other_packet.Packet(2, "40").Take(2);
  Program unprobed = begun();
  unprobed.Packet(2, "5").Take(2);
  Program lost = begun();
  lost.Packet(2, "2probe").Add(Op::kReset, {2});
  Program second = begun();
  second.Open(3).Ask(3, Request::kUpgrade).Take(3);
  Program closed_meanwhile = begun();
  closed_meanwhile.Packet(2, "2probe").Add(Op::kAct, {0, kClose, 0}).Take(2).Take(1);
  Program late = Polling();
  late.Add(Op::kAct, {0, kClose, 0}).Open(2).Ask(2, Request::kUpgrade).Take(2);
  return {whole, pinged, never_probed, never_finished,   other_packet,
          unprobed, lost, second,       closed_meanwhile, late};
}

Seeds OfWebSockets() {
  Program blocked = WebSocket("40/custom,", 0);
  for (int i = 0; i < 4; ++i) blocked.Add(Op::kAct, {0, kEmit, 10});
  blocked.Add(Op::kAct, {0, kAwaitDrain, 10}).Add(Op::kAct, {0, kEmitBinary, 2});
  for (int i = 0; i < 5; ++i) blocked.Take(0, 7);
  blocked.Add(Op::kAct, {0, kDrop, 0}).Add(Op::kRoom, {0, 64}).Take(0).Take(0);
  Program stuck = WebSocket("40/custom,", 0);
  stuck.Add(Op::kAct, {0, kEmit, 10}).Time(35'000);
  Program finishing = WebSocket("40/custom,", 0);
  finishing.Add(Op::kAct, {0, kEmit, 2}).Add(Op::kAct, {0, kClose, 0});
  for (int i = 0; i < 80; ++i) finishing.Take(0, 1);
  Program by_limit = WebSocket();
  by_limit.Add(Op::kAct, {0, kCloseByLimit, 0}).Take(0);
  Program pings = WebSocket();
  pings.Frame(0, 0x89, "ping").Take(0).Frame(0, 0x8A, "pong").Time(25'000).Take(0).Packet(0, "3");
  pings.Time(25'000).Time(20'000).Take(0);
  Program acks = WebSocket();
  for (int i = 0; i < 6; ++i) acks.Add(Op::kAct, {0, kAsk, 1});
  acks.Take(0).Packet(0, "43/custom,0[1]").Time(5'000).Add(Op::kAct, {0, kVolatile, 1}).Take(0);
  Program binary = WebSocket("40/custom,{\"later\":true,\"tail\":true}");
  binary.Packet(0, "452-/custom,7[\"echo\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]")
      .Frame(0, 0x82, "\x01\x02")
      .Frame(0, 0x82, "\x03")
      .Take(0);
  Program unfinished = WebSocket();
  unfinished.Packet(0, "452-/custom,7[\"echo\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]")
      .Frame(0, 0x82, "\x01\x02")
      .Time(20'000);
  Program left = WebSocket();
  left.Packet(0, "41/custom,").Packet(0, "42/custom,[\"leave\"]").Take(0);
  Program made_to_leave = WebSocket();
  made_to_leave.Add(Op::kAct, {0, kDisconnect, 0}).Take(0).Packet(0, "40/custom,").Take(0);
  made_to_leave.Packet(0, "42/custom,[\"leave\"]").Packet(0, "40").Packet(0, "40/nope,").Take(0);
  Program refused = WebSocket("40/custom,{\"refuse\":true}");
  refused.Time(10'000).Take(0);
  Program forced = WebSocket();
  forced.Packet(0, "42[\"subscribe\",\"a\"]").Take(0);
  Program too_often = WebSocket();
  for (int i = 0; i < 13; ++i) too_often.Packet(0, "42/custom,[\"x\"]").GoOn();
  too_often.Take(0).Time(1'000);
  for (int i = 0; i < 30; ++i) too_often.Packet(0, "42/custom,[\"x\"]");
  Program subscribes = WebSocket("40");
  for (int i = 0; i < 10; ++i) subscribes.Packet(0, "42[\"subscribe\",\"a\"]");
  Program stopped = WebSocket();
  stopped.Open(1).Ask(1, Request::kHandshake).Take(1).Open(2).Ask(2, Request::kPoll, 1).Add(Op::kStop, {});
  return {blocked, stuck, finishing,  by_limit, pings,         acks,    binary,
          unfinished, left, made_to_leave, refused, forced, too_often, subscribes, stopped};
}

Seeds OfFrames() {
  const std::string frames[] = {
      tests::ClientFrame(0x88, "\x03\xE8 bye"),
      tests::ClientFrame(0x88, ""),
      tests::ClientFrame(0x88, "\x0F\xA0"),
      tests::ClientFrame(0x88, "a"),
      tests::ClientFrame(0x81, "4\xFF"),
      tests::ClientFrame(0x01, "4") + tests::ClientFrame(0x80, "2/custom,[\"x\"]"),
      tests::ClientFrame(0x82, std::string(2'049, 'x')),
      tests::ClientFrame(0xC1, "40"),
      std::string("\x81\x02" "40"),
      tests::ClientFrame(0x81, "2"),
      tests::ClientFrame(0x81, "42/custom,[\"connect\"]"),
      tests::ClientFrame(0x89, std::string(126, 'p')),
      tests::ClientFrame(0x81, "41") + tests::ClientFrame(0x81, "1"),
  };
  Seeds seeds;
  for (const std::string& frame : frames) {
    Program program = WebSocket();
    program.Raw(0, frame.substr(0, 3)).Raw(0, frame.substr(3)).Take(0);
    seeds.push_back(program);
  }
  Program fragments = WebSocket();
  fragments.Frame(0, 0x01, "4");
  for (int i = 0; i < 9; ++i) fragments.Frame(0, 0x00, "2").GoOn();
  Program reset = WebSocket();
  reset.Raw(0, "\x81\xFE").Add(Op::kReset, {0});
  Program ended = WebSocket();
  ended.Add(Op::kEnd, {0}).Take(0);
  seeds.insert(seeds.end(), {fragments.Take(0), reset, ended});
  return seeds;
}

Seeds OfSessions() {
  Program live = WebSocket("40{\"recovery\":true}");
  live.Add(Op::kPublish, {0, 5})
      .Packet(0, "42[\"subscribe\",\"a\"]")
      .Packet(0, "421[\"subscribe\",{\"sessionId\":\"a\",\"after\":{\"epoch\":\"k3JxQ0aB\",\"sequence\":1}}]")
      .Packet(0, "422[\"subscribe\",{\"sessionId\":\"b\",\"after\":{\"epoch\":\"\",\"sequence\":0}}]")
      .Take(0)
      .Add(Op::kPublish, {1, 3})
      .Add(Op::kPublish, {0, 30})
      .Take(0)
      .Packet(0, "423[\"unsubscribe\",\"a\"]")
      .Packet(0, "42[\"subscribe\",\"../x\"]")
      .Packet(0, "424[\"clarification_response\",{\"sessionId\":\"a\",\"clarificationId\":\"q\",\"response\":\"r\"}]")
      .Take(0);
  Program slow = WebSocket("40", 0);
  slow.Packet(0, "42[\"subscribe\",\"a\"]");
  for (int i = 0; i < 10; ++i) slow.Take(0);
  for (int i = 0; i < 3; ++i) slow.Add(Op::kPublish, {0, 31});
  slow.Add(Op::kRoom, {0, 4});
  for (int i = 0; i < 20; ++i) slow.Take(0).Time(50);
  Program away = WebSocket("40");
  away.Add(Op::kControl, {0})
      .Packet(0, "42[\"subscribe\",\"a\"]")
      .Time(300)
      .Add(Op::kControl, {1})
      .Add(Op::kPublish, {0, 9})
      .Take(0);
  Program polled = Polling("40");
  polled.Ask(0, Request::kPost, 0, 0, "42[\"subscribe\",\"a\"]").Add(Op::kPublish, {0, 31});
  for (int i = 0; i < 6; ++i) polled.Ask(1, Request::kPoll).Take(1).Add(Op::kPublish, {0, 7});
  return {live, slow, away, polled};
}

Seeds OfHttp() {
  const std::string heads[] = {
      "GET / HTTP/1.1\nHost: a\n\n",
      absl::StrCat("GET /", std::string(1'200, 'a'), " HTTP/1.1\r\nHost: a\r\n\r\n"),
      absl::StrCat("GET / HTTP/1.1\r\nHost: a\r\nX: ", std::string(1'200, 'a'), "\r\n\r\n"),
      "POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET /api HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
      "HEAD /socket.io/socket.io.js HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/01.1\r\nHost: a\r\n\r\n",
      "\x16\x03\x01\x02",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "TRACE",
  };
  Seeds seeds;
  for (const std::string& head : heads) {
    seeds.push_back(Program().Open(0).Raw(0, head).Take(0).Time(5'000).Take(0));
  }
  for (int request = 0; request < static_cast<int>(Request::kRequests); ++request) {
    Program known = Polling();
    known.Open(2).Ask(2, static_cast<Request>(request), 0, 0, "4x").Take(2).Time(1'000);
    Program unknown = Program().Open(0).Ask(0, static_cast<Request>(request), 255).Take(0);
    seeds.insert(seeds.end(), {known, unknown});
  }
  for (const int option : {kCloses, kInPart, kExpects, kForbidden, kRefused, kOldRevision, kHasFile}) {
    Program program = Program().Open(0).Ask(0, Request::kHandshake, 0, option).Take(0);
    program.Open(1).Ask(1, Request::kHandshakeWebSocket, 0, option).Take(1);
    program.Open(2).Ask(2, Request::kFile, 0, option).Take(2);
    program.Open(3).Ask(3, Request::kForeign, 0, option, "body").Take(3).Raw(3, "body").Take(3);
    seeds.push_back(program);
  }
  return seeds;
}

Seeds OfAdmission() {
  Program crowd;
  for (int i = 0; i < 8; ++i) {
    crowd.Open(i).Ask(i, Request::kHandshake, 0, i % 2 == 0 ? 0 : kElsewhere).GoOn();
  }
  for (int i = 0; i < 8; ++i) crowd.Raw(i, "").Take(i);
  crowd.Time(1'000);
  for (int i = 0; i < 8; ++i) crowd.Take(i);
  Program more = crowd;
  more.Time(1'000);
  for (int i = 0; i < 8; ++i) more.Open(i).Ask(i, Request::kHandshake).Take(i);
  Program reused = Program().Open(0);
  for (int i = 0; i < 12; ++i) reused.Ask(0, Request::kHandshake).Take(0);
  Program of_one_address;
  for (int i = 0; i < 5; ++i) of_one_address.Open(i).Ask(i, Request::kHandshake).Take(i).Time(300);
  for (int i = 5; i < 7; ++i) {
    of_one_address.Open(i).Ask(i, Request::kHandshake, 0, kElsewhere).Take(i).Time(300);
  }
  return {crowd, more, reused, of_one_address};
}

}  // namespace

std::vector<std::string> ConnectionSeeds() {
  std::vector<std::string> seeds;
  for (const Seeds& some : {OfPolling(), OfUpgrades(), OfWebSockets(), OfFrames(), OfSessions(),
                            OfHttp(), OfAdmission()}) {
    for (const Program& program : some) seeds.push_back(program.bytes());
  }
  return seeds;
}

}  // namespace sessioncast::fuzz
