#!/usr/bin/env python3
"""A client that takes 1 KB a second of a session of 200 events a second (docs/PROTOCOL.md, "A slow client").

It gets every event that nothing supersedes, its progress is seconds old, the kernel holds little for it, what it does not
get is declared, and ten others beside it get everything at once. Usage: slow_reader_test.py BIN_DIRECTORY
"""
import base64
import json
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

BIN = pathlib.Path(sys.argv.pop())
EVENTS_A_SECOND = 200
BYTES_A_SECOND = 1_000
RECEIVE_BUFFER_BYTES = 2_304
WARM_UP_S = 25  # what the kernel took before the client proved slow leaves first
MEASURED_S = 20
AGE_MAX_S = 5.0
OTHERS_S_MAX = 0.05
KERNEL_BYTES_MAX = 32 * 1024
PATIENCE_S = 30


class Serve:
    """`sessioncast serve` on ports that the system picks, with a store in memory."""

    def __enter__(self):
        command = [BIN / "sessioncast", "serve", "--grpc_listen=localhost:0", "--http_listen=localhost:0", "--store=memory"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.grpc = self.port_of("control listening on 127.0.0.1")
        self.http = self.port_of("edge listening on 127.0.0.1")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def port_of(self, text):
        for line in self.process.stdout:
            if match := re.search(re.escape(text) + r":(\d+)", line):
                return int(match[1])
        raise AssertionError("the server ended")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class Client:
    """A Socket.IO client over a websocket, byte by byte. `bytes_a_second`: 0: as many as there are."""

    def __init__(self, port, session, bytes_a_second=0):
        self.session = session
        self.rate = bytes_a_second
        self.buffer = b""
        self.events = []  # (name, payload, seconds since its timestamp)
        self.socket = socket.socket()
        if bytes_a_second:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(512)
        self.buffer = self.buffer.split(b"\r\n\r\n", 1)[1]
        self.began = time.monotonic()
        self.taken = 0
        self.send("40")

    def send(self, text):
        data = text.encode()
        self.socket.sendall(struct.pack("!BB", 0x81, 0x80 | len(data)) + b"\0\0\0\0" + data)

    def read_until(self, deadline):
        """Takes what its rate allows, until then."""
        while (now := time.monotonic()) < deadline:
            allowed = 65_536 if not self.rate else int((now - self.began) * self.rate) - self.taken
            if allowed < 128 and self.rate:
                select.select([], [], [], 0.05)  # nothing to wait for but the time
                continue
            if not select.select([self.socket], [], [], min(0.2, deadline - now))[0]:
                continue
            data = self.socket.recv(allowed)
            assert data, "the server closed the connection"
            self.taken += len(data)
            self.buffer += data
            while self.take_frame():
                pass

    def read_until_subscribed(self):
        deadline = time.monotonic() + PATIENCE_S
        while not any(name == "subscribed" for name, _, _ in self.events):
            assert time.monotonic() < deadline, "no `subscribed` came"
            self.read_until(time.monotonic() + 0.1)

    def take_frame(self):
        if len(self.buffer) < 4:
            return False
        size, at = self.buffer[1] & 0x7F, 2
        if size == 126:
            size, at = struct.unpack("!H", self.buffer[2:4])[0], 4
        if size == 127 or len(self.buffer) < at + size:
            return False
        text, self.buffer = self.buffer[at : at + size].decode(), self.buffer[at + size :]
        if text == "2":
            self.send("3")
        elif text.startswith("40"):
            self.send("42" + json.dumps(["subscribe", self.session]))
        elif text.startswith("42"):
            name, payload = json.loads(text[2:])[:2]
            self.events.append((name, payload, time.time() - self.time_of(payload)))
        return True

    @staticmethod
    def time_of(payload):
        whole, millis = payload["timestamp"].rstrip("Z").split(".")
        return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + int(millis) / 1000

    def kernel_bytes(self):
        """What the kernel holds for it on the server's side."""
        port = f":{self.socket.getsockname()[1]:04X}"
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[2].endswith(port):
                return int(fields[4].split(":")[0], 16)
        raise AssertionError("the connection is gone")


class Publisher(threading.Thread):
    """Progress all the time, and one event a second that nothing supersedes."""

    def __init__(self, port, session):
        super().__init__()
        self.must = 0
        self.stopping = threading.Event()
        self.session = session
        self.process = subprocess.Popen(
            [BIN / "sessioncast", "publish", session, f"--control=localhost:{port}"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def run(self):
        begin = time.monotonic()
        for i in range(10**9):
            if i % EVENTS_A_SECOND == 0:
                event = {"custom": {"name": "step", "data": {"number": self.must}}}
                self.must += 1
            else:
                event = {"progress": {"progress": i % 100, "status": "SESSION_STATUS_PROCESSING"}}
            self.process.stdin.write(json.dumps(event) + "\n")
            self.process.stdin.flush()
            if self.stopping.wait(max(0.0, begin + (i + 1) / EVENTS_A_SECOND - time.monotonic())):
                break
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


class SlowReaderTest(unittest.TestCase):
    def check_order(self, events):
        last = None
        for name, payload, _ in events:
            if name == "subscribed":
                last = payload["sequence"]
            elif "sequence" in payload:
                self.assertEqual(payload["sequence"], last + 1 + payload.get("skipped", 0))
                last = payload["sequence"]

    def test_a_slow_reader_is_seconds_behind_and_delays_nobody(self):
        with Serve() as serve:
            publisher = Publisher(serve.grpc, "slow")
            slow = Client(serve.http, "slow", BYTES_A_SECOND)
            fast = [Client(serve.http, "slow") for _ in range(10)]
            for client in [slow, *fast]:
                client.read_until_subscribed()
            publisher.start()
            end = time.monotonic() + WARM_UP_S + MEASURED_S
            readers = [threading.Thread(target=client.read_until, args=[end]) for client in fast]
            for reader in readers:
                reader.start()
            slow.read_until(end - MEASURED_S)
            warm = len(slow.events)
            slow.read_until(end)
            held = slow.kernel_bytes()
            published = publisher.must
            publisher.stopping.set()
            publisher.join()
            for reader in readers:
                reader.join()
        ages = [age for name, _, age in slow.events[warm:] if name == "progress"]
        steps = [payload["data"]["number"] for name, payload, _ in slow.events if name == "step"]
        skipped = sum(payload.get("skipped", 0) for _, payload, _ in slow.events)
        print(f"slow: {len(slow.events)} events, {skipped} skipped, {len(steps)} of {published} steps; "
              f"progress {min(ages):.2f} to {max(ages):.2f} s old; {held} bytes in the kernel")
        others = sorted(age for client in fast for name, _, age in client.events if name in ("progress", "step"))
        delay = others[int(len(others) * 0.99)]
        print(f"the others: {len(others)} events, half of them within {others[len(others) // 2] * 1000:.0f} ms, "
              f"99 % within {delay * 1000:.0f} ms")
        self.check_order(slow.events)
        self.assertEqual(steps, list(range(len(steps))))
        self.assertGreaterEqual(len(steps), published - 3 * AGE_MAX_S)
        # On a machine with more to do than cores the client itself is late.
        is_busy = os.getloadavg()[0] > os.cpu_count()
        self.assertLess(max(ages), 3 * AGE_MAX_S if is_busy else AGE_MAX_S)
        self.assertLess(delay, 5 * OTHERS_S_MAX if is_busy else OTHERS_S_MAX)
        self.assertLess(held, KERNEL_BYTES_MAX)
        self.assertGreater(skipped, 1000)
        for client in fast:
            self.check_order(client.events)
            self.assertGreaterEqual(sum(name == "step" for name, _, _ in client.events), published - 1)


if __name__ == "__main__":
    unittest.main()
