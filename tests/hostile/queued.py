"""What fills the queues of the edge: a session, into which is published, with clients in it that do not fetch what waits for
them. By polling nothing of it is in the kernel: what is queued is known to the byte."""

import json

from peer import Peer, fetch, join_polling, poll, post, random_id, text

MEBIBYTE = 1024 * 1024
PACKET_OVERHEAD_BYTES = 64  # OutQueue::kPacketOverheadBytes
RESULT_BYTES_MAX = 1_000_000  # control takes a little more
FIRST_RESULT_BYTES = 10


def cost(packet):
    """What the edge counts for an event's packet (its texts are ASCII here), which has its type digit before its body."""
    return len(packet) - 1 + PACKET_OVERHEAD_BYTES


def payload(packet):
    return json.loads(packet[2:])[1]


class Session:
    """Results of one model, each of which supersedes those before, and a websocket that reads them all as they come. The
    edge has one I/O thread: once the reader has an event, it is queued for the others."""

    def __init__(self, stage):
        self.stage = stage
        self.id = random_id()
        self.sequence = 0

    async def __aenter__(self):
        self.reader = await Peer.joined(self.stage.port)
        await self.reader.send(text(self.subscribe()))
        await self._read("subscribed")
        return self

    def subscribe(self):
        return f'42["subscribe","{self.id}"]'

    async def _read(self, name):
        while not (packet := await self.reader.text() or "").startswith(f'42["{name}"'):
            assert packet, "the reader beside was disconnected"
            if packet == "2":
                await self.reader.send(text("3"))
        return packet

    async def publish(self, result_bytes):
        """The packet, which is sent or queued wherever it is going to be."""
        self.sequence += 1
        await self.stage.publish_result(self.id, result_bytes)
        packet = await self._read("model_result")
        assert payload(packet)["sequence"] == self.sequence and "skipped" not in payload(packet), packet[-300:]
        return packet

    async def begin(self, *pollers):
        """The first event, which the pollers fetch: nothing is queued for them then, and what an event costs is known."""
        packet = await self.publish(FIRST_RESULT_BYTES)
        self.overhead = cost(packet) - FIRST_RESULT_BYTES - len("1")
        for poller in pollers:
            await poller.fetch_until(lambda got: got.startswith('42["model_result"'))

    async def fill(self, total):
        """Events that cost so much in all."""
        while total:
            overhead = self.overhead + len(str(self.sequence + 1))
            result_bytes = min(total - overhead, RESULT_BYTES_MAX)
            if 0 < total - overhead - result_bytes < 10_000:
                result_bytes -= 10_000  # the last one is no smaller than an event is
            packet = await self.publish(result_bytes)
            assert cost(packet) == overhead + result_bytes, (cost(packet), overhead, result_bytes)
            total -= cost(packet)

    async def __aexit__(self, kind, error, trace):
        self.reader.leave()


class Poller:
    """A socket by polling, which fetches only when it is told to."""

    @classmethod
    async def joined(cls, port, *sessions):
        self = cls()
        self.port = port
        self.sid, self.socket_id = await join_polling(port)
        for session in sessions:
            assert (await fetch(port, post(self.sid, session.subscribe()))).status == 200
            await self.fetch_until(lambda got: got.startswith('42["subscribed"'))
        return self

    async def fetch_until(self, is_last):
        """The packets that came, up to the poll whose last one it is."""
        packets = []
        while not packets or not is_last(packets[-1]):
            response = await fetch(self.port, poll(self.sid))
            assert response.status == 200, response
            packets += response.body.decode().split("\x1e")
        return packets

    async def fetch_through(self, sequence):
        """The payloads of the session's events up to this one."""
        packets = await self.fetch_until(lambda got: got.startswith("42") and payload(got).get("sequence") == sequence)
        return [payload(packet) for packet in packets]

    async def leave(self):
        assert (await fetch(self.port, post(self.sid, "1"))).status == 200
