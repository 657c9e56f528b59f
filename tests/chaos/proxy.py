"""A TCP proxy that makes the faults of a network: connections cut or reset, bytes held back, thrown away, late, or in
drops. In this process, on its event loop; its port stays while what lies behind it comes and goes.
"""

import asyncio
import contextlib
import re
import socket
import struct

UP, DOWN = "up", "down"  # to the server; to the client
CHUNK_BYTES = 16 * 1024
RESET = struct.pack("ii", 1, 0)


class Direction:
    """What happens to bytes of one direction, of all connections."""

    def __init__(self):
        self.flows = asyncio.Event()  # not set: they stay where they are, as on a dead line
        self.flows.set()
        self.dropped = False  # they are read and thrown away
        self.delay_s = 0.0
        self.piece_bytes = CHUNK_BYTES
        self.pieces_pause_s = 0.0
        self.dropped_bytes = 0


class Link:
    """One client's connection and the one to the server."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.target = None  # the server's port
        self.bytes = {UP: 0, DOWN: 0}
        self.cut_after = {UP: None, DOWN: None}
        self.cut_before = None  # (pattern, n): what goes down ends before the n-th match
        self.inspect = None  # (link, direction, data): sees what comes, and may set cut_after; then it cuts exactly
        self.alive = asyncio.Event()  # not set: both ends believe in it, and nothing passes
        self.alive.set()
        self.was_cut = False

    def reset(self):
        self.was_cut = True
        for _, writer in (self.client, self.server):
            with contextlib.suppress(OSError):
                peer = writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def close(self):
        self.was_cut = True
        for _, writer in (self.client, self.server):
            writer.close()


class Proxy:
    """Listens on a port of 127.0.0.1, for a target that may change or be away."""

    def __init__(self, name):
        self.name = name
        self.target = None  # a port; None: nobody is there
        self.to = {UP: Direction(), DOWN: Direction()}
        self.links = set()
        self.accepted = 0
        self.on_link = lambda link: None  # may set cut_after
        self.cuts = []  # in words
        self._server = None
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    @property
    def port(self):
        return self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        for link in list(self.links):
            link.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def count(self, target):
        """The connections to a port."""
        return sum(link.target == target for link in self.links)

    def cut(self, links=None, reset=True):
        """Ends connections, by default all; how many."""
        chosen = list(self.links if links is None else links)
        for link in chosen:
            if reset:
                link.reset()
            else:
                link.close()
        return len(chosen)

    def hold(self, *directions):
        for direction in directions:
            self.to[direction].flows.clear()

    def freeze(self):
        """The connections there are die without a word, as when a host or a NAT box vanishes; new ones work."""
        for link in self.links:
            link.alive.clear()
        return len(self.links)

    def drop(self, *directions):
        for direction in directions:
            self.to[direction].dropped = True

    def heal(self):
        """As it was; what was held goes on. After `drop`, cut first: streams with a hole are garbage."""
        for direction in self.to.values():
            direction.flows.set()
            direction.dropped = False
            direction.delay_s = direction.pieces_pause_s = 0.0
            direction.piece_bytes = CHUNK_BYTES
        self.on_link = lambda link: None

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        link = Link((reader, writer), (None, writer))
        try:
            if self.target is None:
                return link.reset()
            self.accepted += 1
            link.target = self.target
            server = await asyncio.open_connection("127.0.0.1", link.target)
            link.server = server
            self.links.add(link)
            self.on_link(link)
            await self._carry(link)
        except (OSError, asyncio.CancelledError):
            link.reset()
        finally:
            self.links.discard(link)
            self._tasks.discard(task)
            link.close()
        return None

    async def _carry(self, link):
        """Until one side has closed: the programs here never close one half only."""
        pumps = [
            asyncio.create_task(self._pump(link, UP, link.client[0], link.server[1])),
            asyncio.create_task(self._pump(link, DOWN, link.server[0], link.client[1])),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            results = await asyncio.gather(*pumps, return_exceptions=True)
        if any(isinstance(result, OSError) for result in results):
            link.reset()

    async def _pump(self, link, direction, reader, writer):
        rule = self.to[direction]
        while data := await reader.read(CHUNK_BYTES):
            await rule.flows.wait()
            await link.alive.wait()
            if rule.delay_s:
                await asyncio.sleep(rule.delay_s)
            if rule.dropped:
                rule.dropped_bytes += len(data)
                continue
            if link.inspect:
                link.inspect(link, direction, data)
            data = self._until_cut(link, direction, data)
            for start in range(0, len(data), rule.piece_bytes):
                writer.write(data[start : start + rule.piece_bytes])
                await writer.drain()
                if rule.pieces_pause_s:
                    await asyncio.sleep(rule.pieces_pause_s)
            link.bytes[direction] += len(data)
            if link.cut_after[direction] is not None and link.cut_after[direction] <= 0:
                await asyncio.sleep(0.002)  # what was written leaves first
                if link.cut_before is None:
                    link.reset()
                else:
                    link.close()  # a reset may take from the client what it has not read yet
                return

    def _until_cut(self, link, direction, data):
        """The bytes that may still go; inside a UTF-8 character rather than beside one, where there is one."""
        if direction == DOWN and link.cut_before is not None:
            pattern, count = link.cut_before
            matches = list(re.finditer(pattern, data))
            if len(matches) >= count:
                link.cut_after[DOWN] = matches[count - 1].start()
            link.cut_before = (pattern, count - len(matches))
        left = link.cut_after[direction]
        if left is None:
            return data
        if left > len(data):
            link.cut_after[direction] = left - len(data)
            return data
        inside_at = (i for i in range(left, len(data)) if 0x80 <= data[i] < 0xC0)
        at = left if link.inspect else next(inside_at, left)
        link.cut_after[direction] = 0
        inside = "inside a character" if at < len(data) and 0x80 <= data[at] < 0xC0 else ""
        self.cuts.append(f"{self.name} {direction} at byte {link.bytes[direction] + at} {inside}")
        return data[:at]
