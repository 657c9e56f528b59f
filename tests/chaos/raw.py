"""Clients byte by byte, for what faults measure and for readers that do not read: a handshake of Engine.IO, a websocket of
Socket.IO, a call of gRPC. On the event loop of tools/chaos.
"""

import asyncio
import base64
import os
import pathlib
import socket
import struct

PUBLISH_EVENT = "/sessioncast.v1.SessionService/PublishEvent"
GET_SESSION = "/sessioncast.v1.SessionService/GetSession"
LIST_SESSIONS = "/sessioncast.v1.SessionService/ListSessions"
STREAM_SESSION = "/sessioncast.v1.SessionService/StreamSession"
RECEIVE_BUFFER_BYTES = 2_304  # the least that Linux has

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1


async def connect(port, receive_buffer_bytes=None):
    """(reader, writer); the reader takes little ahead, so that what it does not take stays in the kernel."""
    peer = socket.socket()
    peer.setblocking(False)
    if receive_buffer_bytes:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    try:
        await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=peer, limit=512)
    except BaseException:
        peer.close()
        raise


def unsent_bytes():
    """What the kernel holds of each connection of IPv4: {(port, the peer's port): bytes}. Slow: walks all its sockets."""
    found = {}
    for line in pathlib.Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        ports = tuple(int(address.partition(":")[2], 16) for address in (local, remote))
        found[ports] = int(queues.partition(":")[0], 16)
    return found


# --- gRPC


def _frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def _text(value):
    return bytes([len(value)]) + value.encode()


def grpc_call(path, message):
    """All that a client sends for a call of one message."""
    headers = b"\x83\x86\x04" + _text(path) + b"\x01" + _text("localhost")
    for name, value in (("content-type", "application/grpc"), ("te", "trailers")):
        headers += b"\x00" + _text(name) + _text(value)
    return (
        PREFACE
        + _frame(SETTINGS, 0, 0)
        + _frame(HEADERS, END_HEADERS, 1, headers)
        + _frame(DATA, END_STREAM, 1, b"\0" + struct.pack("!I", len(message)) + message)
    )


def session_request(session):
    """A request whose field 1 is a session's id."""
    return b"\x0a" + _text(session)


def publish_request(session):
    """Of a progress of status PROCESSING."""
    event = session_request(session) + b"\x22\x02\x08\x02"
    return b"\x0a" + bytes([len(event)]) + event


async def grpc_answer(port, path=LIST_SESSIONS, message=b""):
    """The bytes of the first answer, by a connection of its own; OSError if there is none."""
    reader, writer = await connect(port)
    try:
        writer.write(grpc_call(path, message))
        while True:
            head = await reader.readexactly(9)
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            payload = await reader.readexactly(size)
            if kind in (SETTINGS, PING) and not flags & ACK:
                writer.write(_frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == DATA and size:
                return payload[5:]
            elif kind == HEADERS and flags & END_STREAM:
                raise OSError("the call failed")
    except asyncio.IncompleteReadError as error:
        raise OSError("the connection ended") from error
    finally:
        writer.close()


# --- Engine.IO and Socket.IO


async def get(port, path):
    """(status, body) of a request by a connection of its own; OSError if there is no answer."""
    reader, writer = await connect(port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        answer = await reader.read(-1)
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 "):
        raise OSError("no answer")
    return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]


async def handshake(port):
    """The answer to the first poll of an Engine.IO client; OSError if it is none."""
    status, body = await get(port, "/socket.io/?EIO=4&transport=polling")
    if status != 200 or not body.startswith(b'0{"sid"'):
        raise OSError(f"not a handshake: {status} {body[:60]}")
    return body


def websocket_text(text):
    data = text.encode()
    size = bytes([0x80 | len(data)])
    if len(data) > 125:
        size = b"\xfe" + struct.pack("!H", len(data))
    return b"\x81" + size + b"\0\0\0\0" + data


def websocket_head():
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def post(sid, body):
    return (
        f"POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def poll(sid):
    return (
        f"GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ).encode()
