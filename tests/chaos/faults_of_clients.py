"""Faults of clients: they do not read."""

import asyncio
import contextlib
import json

from fault import Fault
import raw

BYTES_A_SECOND = 1_000
PIECE_BYTES = 100
LOOK_EVERY_S = 1


class SlowReader:
    """A raw client with a small buffer, that takes so many bytes a second, or none."""

    kind = ""

    def __init__(self, stage, bytes_a_second):
        self.stage = stage
        self.bytes_a_second = bytes_a_second
        self.unsent_max = 0
        self.taken = 0
        self._reader = self._writer = None

    @property
    def port(self):
        return self.stage.edge.port

    async def begin(self):
        raise NotImplementedError

    async def _connect(self):
        self._reader, self._writer = await raw.connect(self.port, raw.RECEIVE_BUFFER_BYTES)

    async def go_on(self):
        """Until cancelled, or until the server has ended it, which it may."""
        with contextlib.suppress(OSError):
            while not self._reader.at_eof():
                await asyncio.sleep(PIECE_BYTES / BYTES_A_SECOND)
                if self.bytes_a_second:
                    self.taken += len(await self._reader.read(PIECE_BYTES))

    def look(self, unsent):
        own_port = self._writer.get_extra_info("sockname")[1]
        self.unsent_max = max(self.unsent_max, unsent.get((self.port, own_port), 0))

    def end(self):
        if self._writer:
            self._writer.transport.abort()

    def __str__(self):
        rate = f"{self.taken} bytes" if self.bytes_a_second else "nothing"
        return f"{self.kind} took {rate}, {self.unsent_max} unsent"


class WebsocketReader(SlowReader):
    """Subscribed to all sessions."""

    kind = "websocket"

    async def begin(self):
        await self._connect()
        self._writer.write(raw.websocket_head())
        await self._reader.readuntil(b"\r\n\r\n")
        self._writer.write(raw.websocket_text("40"))
        for session in self.stage.sessions:
            self._writer.write(raw.websocket_text("42" + json.dumps(["subscribe", session])))


class PollingReader(SlowReader):
    """Subscribed to all sessions; it asks for an answer, and does not take it."""

    kind = "polling"

    async def begin(self):
        sid = json.loads((await raw.handshake(self.port))[1:])["sid"]
        packets = ["40"] + ["42" + json.dumps(["subscribe", s]) for s in self.stage.sessions]
        _, writer = await raw.connect(self.port)
        try:
            writer.write(raw.post(sid, "\x1e".join(packets)))
            await writer.drain()
            await asyncio.sleep(1)  # events gather for the answer
        finally:
            writer.close()
        await self._connect()
        self._writer.write(raw.poll(sid))


class GrpcReader(SlowReader):
    """StreamSession of a session from its beginning."""

    kind = "gRPC"

    @property
    def port(self):
        return self.stage.control.port

    async def begin(self):
        await self._connect()
        request = raw.session_request(self.stage.sessions[0])
        self._writer.write(raw.grpc_call(raw.STREAM_SESSION, request))


class SlowReaders(Fault):
    """Readers that stop, or take 1 KB a second, beside those that read."""

    name = "slow_readers"
    how = "for some seconds a raw websocket, a polling and a gRPC client take nothing, and one of each 1 KB/s, with small buffers"
    holds = "G11 G12: the others get all that there is meanwhile"
    others_within_s = 30
    seconds = 25

    async def strike(self, stage):
        kinds = (WebsocketReader, PollingReader, GrpcReader)
        readers = [kind(stage, rate) for kind in kinds for rate in (0, BYTES_A_SECOND)]
        going_on = []
        try:
            await asyncio.wait_for(asyncio.gather(*(r.begin() for r in readers)), 30)
            going_on = [asyncio.create_task(reader.go_on()) for reader in readers]
            going_on.append(asyncio.create_task(self._look(readers)))
            started = stage.now()
            await stage.flowing(200, self.others_within_s)
            others_s = stage.now() - started
            await stage.pause(3, 8)
        finally:
            for task in going_on:
                task.cancel()
            await asyncio.gather(*going_on, return_exceptions=True)
            for reader in readers:
                reader.end()
        if all(reader.unsent_max > 0 for reader in readers if not reader.bytes_a_second):
            said = "; ".join(map(str, readers))
            stage.hit(f"{said}; 200 events reached the others in {others_s:.1f} s")

    @staticmethod
    async def _look(readers):
        """In a thread, since the proxies of all others are on this loop."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            unsent = await asyncio.to_thread(raw.unsent_bytes)
            for reader in readers:
                reader.look(unsent)


FAULTS = [SlowReaders]
