"""A client byte by byte, which may speak HTTP, WebSocket and Socket.IO wrongly. Every wait has a deadline."""

import asyncio
import base64
import contextlib
import dataclasses
import os
import socket
import struct

PATIENCE_S = 20
POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: " + base64.b64encode(b"0123456789abcdef").decode(),
)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
NO_CODE = 1005  # a close frame without one
RECEIVE_BUFFER_BYTES = 2_304  # the least that Linux has


def request(line, *fields, body=None, host="localhost"):
    """The bytes of a request; `line`: method and target."""
    lines = [f"{line} HTTP/1.1", *([f"Host: {host}"] if host else []), *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def post(sid, body, *fields):
    return request(f"POST {POLLING}&sid={sid}", *fields, body=body.encode("utf-8", "surrogateescape"))


def poll(sid):
    return request(f"GET {POLLING}&sid={sid}")


def frame(opcode, payload=b"", *, final=True, reserved=0, masked=True, length=None):
    """A client's frame; the mask is zero, so that the payload can be read."""
    first = (0x80 if final else 0) | reserved | opcode
    size = len(payload) if length is None else length
    mask_bit = 0x80 if masked else 0
    if size <= 125:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size <= 0xFFFF:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def text(value):
    return frame(TEXT, value.encode("utf-8", "surrogateescape"))


@dataclasses.dataclass
class Response:
    status: int
    fields: dict
    body: bytes


class Peer:
    """One TCP connection."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.socket_id = None  # of a websocket that has joined
        self.sid = None

    @staticmethod
    async def connect(port, first=b""):
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        await peer.send(first)
        return peer

    @staticmethod
    async def websocket(port, *fields, target=WEBSOCKET):
        """A websocket whose open packet was read."""
        peer = await Peer.connect(port, request(f"GET {target}", *UPGRADE, *fields))
        response = await peer.response()
        assert response.status == 101, response
        opened = await peer.text()
        assert opened.startswith('0{"sid":"'), opened
        peer.sid = opened[9:29]
        return peer

    @staticmethod
    async def joined(port, auth="", *fields):
        """A websocket that is a socket of the main namespace."""
        peer = await Peer.websocket(port, *fields)
        await peer.send(text("40" + auth))
        answer = await peer.text()
        assert answer.startswith('40{"'), answer
        peer.socket_id = answer.partition('"sid":"')[2][:20]
        assert (await peer.text()).startswith('42["connected"')
        return peer

    @staticmethod
    async def reads_nothing(port, session):
        """A websocket, joined and subscribed, that takes little of what comes until it is read from, and leaves the rest to the
        kernel and the edge."""
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
        peer = Peer(*await asyncio.open_connection(sock=end, limit=512))
        response = await peer.ask(request(f"GET {WEBSOCKET}", *UPGRADE))
        assert response.status == 101, response
        await peer.text()
        await peer.send(text("40"))
        peer.socket_id = (await peer.text()).partition('"sid":"')[2][:20]
        await peer.send(text(f'42["subscribe","{session}"]'))
        while not (await peer.text()).startswith('42["subscribed"'):
            pass
        return peer

    async def send(self, data):
        """What the other side does not take any more is dropped."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), PATIENCE_S)

    async def response(self):
        return await asyncio.wait_for(self._response(), PATIENCE_S)

    async def _response(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        size = int(fields.get("content-length", 0))
        return Response(int(first.split()[1]), fields, await self.reader.readexactly(size))

    async def ask(self, data):
        await self.send(data)
        return await self.response()

    async def rest(self):
        """All that comes until the other side ends it, by a reset too."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(self.reader.read(65_536), PATIENCE_S):
                data += piece
        return data

    async def frame(self):
        """(opcode, payload) of the next frame; None: the end."""
        try:
            return await asyncio.wait_for(self._frame(), PATIENCE_S)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def _frame(self):
        first, size = await self.reader.readexactly(2)
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    async def text(self):
        """The next text, whatever else comes before it; None: the end."""
        while (got := await self.frame()) is not None:
            if got[0] == TEXT:
                return got[1].decode()
            if got[0] == CLOSE:
                return None
        return None

    async def closed(self):
        """The code of the close frame that comes; None: the end without one. The texts before it are in self.before."""
        self.before = []
        while (got := await self.frame()) is not None:
            if got[0] == CLOSE:
                return struct.unpack("!H", got[1][:2])[0] if got[1] else NO_CODE
            if got[0] == TEXT:
                self.before.append(got[1].decode())
        return None

    def leave(self):
        self.writer.close()

    def reset(self):
        self.writer.transport.abort()


async def fetch(port, data):
    """The response to a request by a TCP connection of its own."""
    peer = await Peer.connect(port)
    try:
        return await peer.ask(data)
    finally:
        peer.leave()


async def open_polling(port):
    """The sid of a new connection by polling."""
    response = await fetch(port, request(f"GET {POLLING}"))
    assert response.status == 200 and response.body.startswith(b'0{"sid":"'), response
    return response.body[9:29].decode()


async def join_polling(port):
    """(sid, id of its socket) of a connection by polling that has joined the main namespace."""
    sid = await open_polling(port)
    assert (await fetch(port, post(sid, "40"))).status == 200
    answer = (await fetch(port, poll(sid))).body.decode()
    return sid, answer.partition('40{"sid":"')[2][:20]


async def knows(port, sid):
    """Whether the sid still means something: a harmless POST (an upgrade packet out of turn)."""
    response = await fetch(port, post(sid, "5"))
    return response.status == 200


def random_id():
    return os.urandom(8).hex()
