"""HTTP and Engine.IO: what a client may send wrong before there is a websocket, and what it gets."""

import gzip
import json

from peer import (
    POLLING, UPGRADE, WEBSOCKET, Peer, fetch, join_polling, knows, open_polling, poll, post, request,
)  # fmt: skip

CODES = {
    0: "Transport unknown", 1: "Session ID unknown", 2: "Bad handshake method", 3: "Bad request", 4: "Forbidden",
    5: "Unsupported protocol version",
}  # fmt: skip
EVIL = "Origin: https://evil.example"


def engine_error(code, data):
    """Engine.IO's numbered error as JSON; the TCP connection serves the next request."""

    async def row(stage):
        peer = await Peer.connect(stage.port)
        for _ in range(2):
            response = await peer.ask(data)
            assert response.status == (403 if code == 4 else 400), response
            assert json.loads(response.body) == {"code": code, "message": CODES[code]}, response
        peer.leave()

    return row


def refused(status, data, *fields, body=b""):
    """This status, and the TCP connection is closed. `fields`: names of the answer's that must be there."""

    async def row(stage):
        peer = await Peer.connect(stage.port)
        response = await peer.ask(data)
        assert response.status == status, response
        assert body is None or response.body == body, response
        assert response.fields.get("connection") == "close", response
        for field in fields:
            name, _, value = field.partition(": ")
            assert response.fields.get(name.lower()) == value, response
        assert await peer.rest() == b"", "nothing follows the refusal"

    return row


def answered(status, data, *fields):
    """This status, and the TCP connection serves the next request."""

    async def row(stage):
        peer = await Peer.connect(stage.port)
        response = await peer.ask(data)
        assert response.status == status, response
        for field in fields:
            name, _, value = field.partition(": ")
            assert response.fields.get(name.lower()) == value, response
        assert (await peer.ask(request("GET /healthz"))).status == 200
        peer.leave()

    return row


def closed_in_silence(data, protocol):
    """Another protocol: closed without an answer that it would not understand; one line in the log."""

    async def row(stage):
        peer = await Peer.connect(stage.port, data)
        assert await peer.rest() == b""
        await stage.says(f"a client at 127.0.0.1 speaks {protocol}, not plain HTTP/1.1")

    return row


def no_allow_fields(data, status):
    async def row(stage):
        response = await fetch(stage.port, data)
        assert response.status == status, response
        assert not any(name.startswith("access-control") for name in response.fields), response

    return row


def ends_polling(body, status=400, reason="parse error"):
    """A POST with which the connection ends; the socket is told this reason."""

    async def row(stage):
        sid, socket_id = await join_polling(stage.port)
        response = await fetch(stage.port, post(sid, body))
        assert response.status == status and response.body == b"", response
        assert await stage.reason(socket_id) == reason
        assert not await knows(stage.port, sid)

    return row


def stays_polling(data_of, status, *, closes=False, body=b""):
    """A request of a connection that is refused; the connection stays."""

    async def row(stage):
        sid, _ = await join_polling(stage.port)
        peer = await Peer.connect(stage.port)
        response = await peer.ask(data_of(sid))
        assert response.status == status, response
        assert body is None or response.body == body, response
        if closes:
            assert await peer.rest() == b""
        peer.leave()
        assert await knows(stage.port, sid)
        assert (await fetch(stage.port, post(sid, "1"))).status == 200

    return row


async def a_second_poll(stage):
    sid, socket_id = await join_polling(stage.port)
    first = await Peer.connect(stage.port, poll(sid))
    assert await knows(stage.port, sid), "by now the first poll is there"
    assert (await fetch(stage.port, poll(sid))).status == 400
    assert (await first.response()).body == b"1", "the first is told the end"
    assert await stage.reason(socket_id) == "transport error"
    assert not await knows(stage.port, sid)


async def a_second_post(stage):
    sid, socket_id = await join_polling(stage.port)
    whole = post(sid, "5" * 100)
    first = await Peer.connect(stage.port, whole[:-10])
    response = None
    while response is None or response.status == 200:  # until the first has arrived
        response = await fetch(stage.port, post(sid, "5"))
    assert response.status == 400, response
    assert await first.rest() == b"", "nothing is left hanging"
    assert await stage.reason(socket_id) == "transport error"


async def a_dropped_poll(stage):
    sid, socket_id = await join_polling(stage.port)
    held = await Peer.connect(stage.port, poll(sid))
    assert await knows(stage.port, sid)
    held.reset()
    assert await stage.reason(socket_id) == "transport error"


async def an_upgrade_packet_out_of_turn(stage):
    sid, _ = await join_polling(stage.port)
    assert (await fetch(stage.port, post(sid, "5"))).body == b"ok"
    assert await knows(stage.port, sid)
    await fetch(stage.port, post(sid, "1"))


async def an_evil_post(stage):
    sid, _ = await join_polling(stage.port)
    response = await fetch(stage.port, request(f"POST {POLLING}&sid={sid}", EVIL, body=b"41"))
    assert (response.status, json.loads(response.body)["code"]) == (403, 4), response
    assert await knows(stage.port, sid)
    await fetch(stage.port, post(sid, "1"))


async def a_sid_by_another_transport(stage):
    sid = await open_polling(stage.port)
    response = await fetch(stage.port, request(f"GET {WEBSOCKET}&sid={sid}"))
    assert (response.status, json.loads(response.body)["code"]) == (400, 3), response
    peer = await Peer.websocket(stage.port)
    response = await fetch(stage.port, poll(peer.sid))
    assert (response.status, json.loads(response.body)["code"]) == (400, 3), response
    peer.leave()


async def a_body_of_bytes(stage):
    sid, socket_id = await join_polling(stage.port)
    data = request(f"POST {POLLING}&sid={sid}", "Content-Type: application/octet-stream", body=b"4x")
    assert (await fetch(stage.port, data)).status == 400
    assert await stage.reason(socket_id) == "transport error"


async def pipelined_requests(stage):
    peer = await Peer.connect(stage.port, request("GET /healthz") * 200)
    for _ in range(200):
        assert (await peer.response()).status == 200
    peer.leave()


async def a_reset_in_a_head(stage):
    peer = await Peer.connect(stage.port, b"GET /socket.io/?EIO=4&tr")
    peer.reset()


async def many_resets(stage):
    peers = [await Peer.connect(stage.port, request(f"GET {POLLING}")) for _ in range(200)]
    for peer in peers:
        peer.reset()


def handshake(query, *fields, method="GET"):
    return request(f"{method} /socket.io/?{query}", *fields)


def upgrade(*fields, target=WEBSOCKET, without=()):
    kept = [field for field in UPGRADE if not field.startswith(tuple(without))] if without else UPGRADE
    return request(f"GET {target}", *kept, *fields)


BIG_SID = "A" * 4096
LONG = 64 * 1024
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(32)

ROWS = {
    "no transport": engine_error(0, handshake("EIO=4")),
    "an unknown transport": engine_error(0, handshake("EIO=4&transport=webtransport")),
    "a transport in capitals": engine_error(0, handshake("EIO=4&transport=POLLING")),
    "transport[]=": engine_error(0, handshake("EIO=4&transport[]=polling")),
    "the last of two transports": engine_error(0, handshake("EIO=4&transport=polling&transport=x")),
    "an unknown sid": engine_error(1, handshake("EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA")),
    "sid=__proto__": engine_error(1, handshake("EIO=4&transport=polling&sid=__proto__")),
    "4 KB of sid": engine_error(1, handshake(f"EIO=4&transport=polling&sid={BIG_SID}")),
    "a sid of NUL": engine_error(1, handshake("EIO=4&transport=polling&sid=%00")),
    "POST without sid": engine_error(2, request(f"POST {POLLING}", body=b"")),
    "PUT without sid": engine_error(2, request(f"PUT {POLLING}", body=b"")),
    "DELETE without sid": engine_error(2, request(f"DELETE {POLLING}")),
    "PROPFIND without sid": engine_error(2, request(f"PROPFIND {POLLING}")),
    "a websocket without upgrade": engine_error(3, handshake("EIO=4&transport=websocket")),
    "polling with upgrade": refused(400, upgrade(target=POLLING), body=b"Bad request"),
    "a sid by another transport": a_sid_by_another_transport,
    "an origin that is not on the list": engine_error(4, request(f"GET {POLLING}", EVIL)),
    "Origin: null": engine_error(4, request(f"GET {POLLING}", "Origin: null")),
    "two origins": engine_error(4, request(f"GET {POLLING}", "Origin: http://localhost", "Origin: http://localhost")),
    "an origin that only looks like loopback": engine_error(
        4, request(f"GET {POLLING}", "Origin: http://127.0.0.1.evil.example")),
    "a POST from another origin": an_evil_post,
    "an upgrade from another origin": refused(400, upgrade(EVIL), body=b"Forbidden"),
    "a preflight from another origin": no_allow_fields(
        request(f"OPTIONS {POLLING}", EVIL, "Access-Control-Request-Method: POST"), 204),
    "REST from another origin": engine_error(4, request("GET /api/wizard/session/x", EVIL)),
    "a query of 2,000 parameters": engine_error(0, handshake("&".join(["a=b"] * 2_000))),
    "an upgrade of an unknown sid": refused(
        400, upgrade(target=f"{WEBSOCKET}&sid=AAAAAAAAAAAAAAAAAAAA"), body=b"Session ID unknown"),
    "no EIO": engine_error(5, handshake("transport=polling")),
    "EIO=3": engine_error(5, handshake("EIO=3&transport=polling")),
    "EIO=5": engine_error(5, handshake("EIO=5&transport=polling")),
    "EIO=4abc": engine_error(5, handshake("EIO=4abc&transport=polling")),
    "EIO=3 by websocket": refused(
        400, upgrade(target="/socket.io/?EIO=3&transport=websocket"), body=b"Unsupported protocol version"),
    "JSONP": engine_error(3, handshake("EIO=4&transport=polling&j=0")),
    "PUT with a sid": stays_polling(lambda sid: request(f"PUT {POLLING}&sid={sid}"), 405),
    "DELETE with a sid": stays_polling(lambda sid: request(f"DELETE {POLLING}&sid={sid}"), 405),
    "/socket.iox/": answered(404, request("GET /socket.iox/?EIO=4&transport=polling")),
    "/socket.io/../x": answered(404, request("GET /socket.io/../x?EIO=4&transport=polling")),
    "/socket.io/%2e%2e/": answered(404, request("GET /socket.io/%2e%2e/?EIO=4&transport=polling")),
    "/socket.io/..%2fx": answered(404, request("GET /socket.io/..%2fx?EIO=4&transport=polling")),
    "NUL in the path": answered(404, request("GET /socket.io/%00?EIO=4&transport=polling")),
    "a file that is none of the client's": answered(404, request("GET /socket.io/..%2f..%2fetc/passwd")),
    "a session of ../x by REST": answered(404, request("GET /api/wizard/session/../x")),
    "a bad session id by REST": answered(400, request("GET /api/wizard/session/a%20b")),
    "a request line over 8 KiB": refused(414, request("GET /" + "a" * LONG)),
    "a request line without end": refused(414, b"GET /" + b"a" * LONG),
    "headers over 8 KiB": refused(431, request("GET /healthz", "X: " + "a" * LONG)),
    "headers without end": refused(431, b"GET /healthz HTTP/1.1\r\nX: " + b"a" * LONG),
    "1,000 headers": refused(431, request("GET /healthz", *[f"a{i}: b" for i in range(1_000)])),
    "Content-Length: -1": refused(400, request(f"POST {POLLING}", "Content-Length: -1")),
    "Content-Length: +5": refused(400, request(f"POST {POLLING}", "Content-Length: +5")),
    "Content-Length: 0x5": refused(400, request(f"POST {POLLING}", "Content-Length: 0x5")),
    "Content-Length: 2^64": refused(400, request(f"POST {POLLING}", "Content-Length: 18446744073709551616")),
    "Content-Length: 5, 5": refused(400, request(f"POST {POLLING}", "Content-Length: 5, 5")),
    "two lengths": refused(400, request(f"POST {POLLING}", "Content-Length: 5", "Content-Length: 6")),
    "two equal lengths": refused(400, request(f"POST {POLLING}", "Content-Length: 5", "Content-Length: 5")),
    "a length and chunks": refused(
        400, request(f"POST {POLLING}", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    "a chunked body": refused(411, request(f"POST {POLLING}", "Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    "an encoding called xchunked": refused(411, request(f"POST {POLLING}", "Transfer-Encoding: xchunked")),
    "a bare LF": refused(400, b"GET /healthz HTTP/1.1\nHost: localhost\n\n"),
    "a bare LF in the headers": refused(400, b"GET /healthz HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n"),
    "a folded header": refused(400, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"),
    "a space before the colon": refused(400, request("GET /healthz", "Content-Length : 5")),
    "NUL in a header": refused(400, request("GET /healthz", "X: a\0b")),
    "no Host": refused(400, request("GET /healthz", host=None)),
    "two Hosts": refused(400, request("GET /healthz", "Host: other")),
    "an absolute target": refused(400, request("GET http://localhost/healthz")),
    "HTTP/2.0 in the request line": refused(505, b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n"),
    "a request line of two words": refused(400, b"GET /healthz\r\nHost: localhost\r\n\r\n"),
    "TLS": closed_in_silence(TLS_HELLO, "TLS"),
    "an HTTP/2 preface": closed_in_silence(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), "HTTP/2"),
    "what is no HTTP": closed_in_silence(b"\x05\x01\x00", "not HTTP"),
    "Content-Encoding: gzip": stays_polling(
        lambda sid: request(f"POST {POLLING}&sid={sid}", "Content-Encoding: gzip", body=gzip.compress(b"5")), 415),
    "a bad Sec-WebSocket-Key": refused(
        400, upgrade("Sec-WebSocket-Key: short", without=["Sec-WebSocket-Key"]), body=b"Bad Request"),
    "no Sec-WebSocket-Key": refused(400, upgrade(without=["Sec-WebSocket-Key"]), body=b"Bad Request"),
    "Sec-WebSocket-Version: 8": refused(
        426, upgrade("Sec-WebSocket-Version: 8", without=["Sec-WebSocket-Version"]), "Sec-WebSocket-Version: 13",
        body=b"Upgrade Required"),
    "a second GET": a_second_poll,
    "a second POST": a_second_post,
    "a poll that is dropped": a_dropped_poll,
    "a declared body over the limit": stays_polling(
        lambda sid: request(f"POST {POLLING}&sid={sid}", "Content-Length: 65537"), 413, closes=True),
    "a declared body of 2^40": stays_polling(
        lambda sid: request(f"POST {POLLING}&sid={sid}", f"Content-Length: {2**40}"), 413, closes=True),
    "a body over the limit by REST": refused(
        413, request("POST /api/wizard/clarifications/respond", "Content-Length: 65537")),
    "JSON that is none by REST": answered(400, request("POST /api/wizard/clarifications/respond", body=b"{" * 9_000)),
    "129 packets in a POST": ends_polling("\x1e".join(["5"] * 129), reason="limit"),
    "an empty body": ends_polling(""),
    "only separators": ends_polling("\x1e\x1e\x1e"),
    "an unknown packet type": ends_polling("9"),
    "a packet of a letter": ends_polling("x"),
    "bad base64": ends_polling("b!!!!"),
    "base64 that is cut off": ends_polling("bAAA"),
    "a server's open packet": ends_polling("0{}"),
    "a server's ping": ends_polling("2"),
    "a server's noop": ends_polling("6"),
    "a body of bytes": a_body_of_bytes,
    "an upgrade packet out of turn": an_upgrade_packet_out_of_turn,
    "200 requests in one piece": pipelined_requests,
    "200 connections that are reset": many_resets,
    "a reset in a request's head": a_reset_in_a_head,
}
