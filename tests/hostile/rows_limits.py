"""Limits of time, and each limit of size or rate at the limit and one past it. The edge's times are short here."""

import asyncio
import json
import time

from peer import (
    BINARY, NO_CODE, PING, POLLING, TEXT, UPGRADE, WEBSOCKET, Peer, fetch, frame, join_polling, knows, open_polling, poll,
    post, request, text,
)  # fmt: skip

HEADER_S, BODY_S, CONNECT_S, UPGRADE_S, WRITE_S = 1.5, 1.5, 4.0, 2.0, 3.0
EDGE_FLAGS = (
    f"--header_timeout_ms={int(HEADER_S * 1000)}", f"--body_timeout_ms={int(BODY_S * 1000)}",
    f"--connect_timeout_ms={int(CONNECT_S * 1000)}", f"--upgrade_timeout_ms={int(UPGRADE_S * 1000)}",
    f"--write_timeout_ms={int(WRITE_S * 1000)}", "--idle_timeout_ms=3000",
    "--ping_interval_ms=1500", "--ping_timeout_ms=3500", "--log_level=debug",
)  # fmt: skip


async def drip(peer, data, seconds):
    """A byte each 50 ms, until there is an answer."""
    answer = asyncio.ensure_future(peer.response())
    for byte in data:
        await peer.send(bytes([byte]))
        done, _ = await asyncio.wait([answer], timeout=0.05)
        if done:
            return await answer
    raise AssertionError(f"all of it was taken, in more than {seconds} s")


# --- time


async def a_slow_header(stage):
    peer = await Peer.connect(stage.port)
    began = time.monotonic()
    response = await drip(peer, request("GET /healthz", "X-Slow: " + "a" * 500), HEADER_S)
    assert response.status == 408 and time.monotonic() - began > 0.8 * HEADER_S, response
    assert await peer.rest() == b""


async def a_slow_body(stage):
    sid, socket_id = await join_polling(stage.port)
    head, _, body = post(sid, "5" + "a" * 500).partition(b"\r\n\r\n")
    peer = await Peer.connect(stage.port, head + b"\r\n\r\n")
    response = await drip(peer, body, BODY_S)
    assert response.status == 408, response
    assert await peer.rest() == b""
    assert await stage.reason(socket_id) == "transport error"
    assert not await knows(stage.port, sid)


async def a_slow_body_by_rest(stage):
    head = request("POST /api/wizard/clarifications/respond", "Content-Length: 500")
    response = await drip(await Peer.connect(stage.port, head), b"{" * 500, BODY_S)
    assert response.status == 408, response


async def a_silent_connection(stage):
    assert await (await Peer.connect(stage.port)).rest() == b""


async def an_idle_connection(stage):
    peer = await Peer.connect(stage.port)
    assert (await peer.ask(request("GET /healthz"))).status == 200
    assert await peer.rest() == b""


async def no_connect_by_websocket(stage):
    peer = await Peer.websocket(stage.port)
    assert await peer.closed() == NO_CODE
    assert await stage.reason_of_connection(peer.sid) == "connect timeout"


async def no_connect_by_polling(stage):
    sid = await open_polling(stage.port)
    assert await stage.reason_of_connection(sid) == "connect timeout"
    body = (await fetch(stage.port, poll(sid))).body
    if body == b"2":  # a ping that had waited
        body = (await fetch(stage.port, poll(sid))).body
    assert body.endswith(b"1"), f"the next poll is told: {body}"
    assert not await knows(stage.port, sid)


async def many_handshakes_and_no_connect(stage):
    sids = [await open_polling(stage.port) for _ in range(200)]
    for sid in sids[::50]:
        assert await stage.reason_of_connection(sid) == "connect timeout"
    for sid in sids:
        await fetch(stage.port, poll(sid))


async def a_probe_without_end(stage):
    sid, _ = await join_polling(stage.port)
    peer = await Peer.connect(stage.port, request(f"GET {WEBSOCKET}&sid={sid}", *UPGRADE))
    assert (await peer.response()).status == 101
    await peer.send(text("2probe"))
    assert await peer.text() == "3probe"
    assert await peer.closed() == NO_CODE
    assert await knows(stage.port, sid), "polling goes on"
    assert (await fetch(stage.port, post(sid, "1"))).status == 200


async def never_polls(stage):
    sid, socket_id = await join_polling(stage.port)
    assert (await fetch(stage.port, post(sid, '42["subscribe","witness"]'))).status == 200
    assert await stage.reason(socket_id) == "slow consumer"
    assert not await knows(stage.port, sid)


async def never_reads(stage):
    """A websocket that takes nothing of a session in which things happen."""
    peer = await Peer.reads_nothing(stage.port, "witness")
    ended = asyncio.ensure_future(stage.reason(peer.socket_id))
    while not ended.done():  # it is there, and answers before it is asked
        await peer.send(text("3"))
        await asyncio.wait([ended], timeout=0.5)
    assert await ended == "slow consumer", await ended
    peer.reset()


async def never_answers_a_ping(stage):
    peer = await Peer.joined(stage.port)
    assert await peer.text() == "2"
    assert await peer.closed() == NO_CODE
    assert await stage.reason(peer.socket_id) == "ping timeout"


async def never_answers_a_ping_by_polling(stage):
    sid, socket_id = await join_polling(stage.port)
    body = b""
    while body != b"1":
        body = (await fetch(stage.port, poll(sid))).body
    assert await stage.reason(socket_id) == "ping timeout"


# --- sizes, at the limit and one past it


async def request_line(stage):
    for size, status in ((8_192, 404), (8_193, 414)):
        rest = len("GET / HTTP/1.1\r")
        response = await fetch(stage.port, request("GET /" + "a" * (size - rest)))
        assert response.status == status, (size, response)


async def header_fields(stage):
    rest = len(request("GET /healthz", "X: ")) - len("GET /healthz HTTP/1.1\r\n")
    for size, status in ((8_192, 200), (8_193, 431)):
        response = await fetch(stage.port, request("GET /healthz", "X: " + "a" * (size - rest)))
        assert response.status == status, (size, response)
    for count, status in ((100, 200), (101, 431)):
        response = await fetch(stage.port, request("GET /healthz", *["a: b"] * (count - 1)))
        assert response.status == status, (count, response)


async def body(stage):
    sid, _ = await join_polling(stage.port)
    packets = ["5" + "a" * 16_383] * 3 + ["5" + "a" * 16_380]
    whole = "\x1e".join(packets)
    assert len(whole) == 65_536
    assert (await fetch(stage.port, post(sid, whole))).status == 200
    assert (await fetch(stage.port, post(sid, whole + "a"))).status == 413
    assert (await fetch(stage.port, post(sid, "\x1e".join(["5"] * 128)))).status == 200
    assert (await fetch(stage.port, post(sid, "\x1e".join(["5"] * 129)))).status == 400


async def message_by_polling(stage):
    sid, _ = await join_polling(stage.port)
    assert (await fetch(stage.port, post(sid, "5" + "a" * 16_383))).status == 200
    assert (await fetch(stage.port, post(sid, "5" + "a" * 16_384))).status == 413
    assert await knows(stage.port, sid)
    await fetch(stage.port, post(sid, "1"))


def at_and_past(at, past, code, reason="transport error"):
    """`at`, and then `past`, of which only the second ends the websocket."""

    async def row(stage):
        peer = await Peer.joined(stage.port)
        for piece in at:
            await peer.send(piece)
        await peer.send(text('421["subscribe",""]'))
        while not (answer := await peer.text() or "the end").startswith("431"):
            assert answer == "2" or answer.startswith("42"), f"at the limit: {answer}"
        for piece in past:
            await peer.send(piece)
        assert await peer.closed() == code
        assert await stage.reason(peer.socket_id) == reason

    return row


def padded(size):
    return text('42["x","' + "y" * (size - 10) + '"]')


def fragments(count):
    return [frame(TEXT, b"5", final=False) + frame(0, b"", final=False) * (count - 2) + frame(0, b"")]


def nested(depth):
    return [text('42["x",' + "[" * (depth - 1) + "]" * (depth - 1) + "]")]


def with_attachments(count, bytes_each=1):
    return [text(f'45{count}-["x"]'), *[frame(BINARY, bytes(bytes_each))] * count]


# --- rates


async def answers_until(peer, count):
    """The `error` events, until there are so many; fewer if the connection ends."""
    errors = []
    while len(errors) < count and (answer := await peer.text()) is not None:
        if answer.startswith('42["error"'):
            errors.append(json.loads(answer[2:])[1]["error"])
    return errors


async def messages(stage):
    """60 at once (the CONNECT is one of them), then 20 a second, then the error, then 1008."""
    peer = await Peer.joined(stage.port)
    bad = text('42["clarification_response",{}]')
    await peer.send(bad * 59)
    errors = await answers_until(peer, 59)
    assert len(errors) == 59 and not any("too often" in error for error in errors), errors
    await peer.send(bad * 50)
    errors = await answers_until(peer, 50)
    refused = [error for error in errors if "too often" in error]
    assert refused and "(messages_per_s_max)" in refused[0] and "20 a second, 60 at once" in refused[0], errors
    await peer.send(bad * 1_000)
    assert await peer.closed() == 1008
    assert await stage.reason(peer.socket_id) == "limit"


async def subscribes(stage):
    """1,000 subscribes and unsubscribes a second: the error, then 1008."""
    peer = await Peer.joined(stage.port)
    for i in range(500):
        await peer.send(text(f'42["subscribe","often-{i % 3}"]') + text(f'42["unsubscribe","often-{i % 3}"]'))
    assert await peer.closed() == 1008
    refusals = [json.loads(one[2:])[1]["error"] for one in peer.before if one.startswith('42["error"')]
    assert refusals and all("(subscribes_per_s_max)" in error for error in refusals), refusals[:3]
    granted = sum(one.startswith('42["subscribed"') for one in peer.before)
    assert granted >= 100, f"{granted} subscribes were granted"
    assert await stage.reason(peer.socket_id) == "limit"


def flood(*texts, reason="limit"):
    async def row(stage):
        peer = await Peer.joined(stage.port)
        await peer.send(b"".join(text(one) for one in texts) * 2_000)
        assert await peer.closed() == 1008
        assert await stage.reason(peer.socket_id) == reason

    return row


async def a_flood_by_polling(stage):
    sid, socket_id = await join_polling(stage.port)
    for _ in range(3):
        await fetch(stage.port, post(sid, "\x1e".join(['42["no_such_event"]'] * 100)))
    assert await stage.reason(socket_id) == "limit"


async def a_client_that_comes_back(stage):
    """100 sessions, subscribed to again at each of its connections: nothing is refused."""
    for _ in range(5):
        peer = await Peer.joined(stage.port)
        for i in range(100):
            await peer.send(text(f'42{i}["subscribe","back-{i}"]'))
        answers = set()
        while len(answers) < 100:
            answer = await peer.text()
            assert answer is not None and not answer.startswith('42["error"'), answer
            if answer.startswith("43"):
                assert '"ok":true' in answer, answer
                answers.add(answer.partition("[")[0])
            elif answer == "2":
                await peer.send(text("3"))
        peer.leave()


async def a_client_that_cleans_up(stage):
    """100 unsubscribes at once, as a page does that closes its views."""
    peer = await Peer.joined(stage.port)
    for event in ("subscribe", "unsubscribe"):
        await peer.send(b"".join(text(f'42{i}["{event}","clean-{i}"]') for i in range(100)))
        done = 0
        while done < 100:
            answer = await peer.text()
            assert answer is not None and not answer.startswith('42["error"'), answer
            done += answer.startswith("43")
            if answer == "2":
                await peer.send(text("3"))
    peer.leave()


ROWS = {
    "a header a byte at a time": a_slow_header,
    "a body a byte at a time": a_slow_body,
    "a body of REST a byte at a time": a_slow_body_by_rest,
    "a TCP connection that says nothing": a_silent_connection,
    "a TCP connection that says nothing more": an_idle_connection,
    "a handshake and no CONNECT, by websocket": no_connect_by_websocket,
    "a handshake and no CONNECT, by polling": no_connect_by_polling,
    "200 handshakes and no CONNECT": many_handshakes_and_no_connect,
    "a probe that is never finished": a_probe_without_end,
    "a client that never polls": never_polls,
    "a client that never reads": never_reads,
    "a client that never answers a ping": never_answers_a_ping,
    "a client that never answers a ping, by polling": never_answers_a_ping_by_polling,
    "header_bytes_max of the request line": request_line,
    "header_bytes_max of the fields, and 100 fields": header_fields,
    "post_bytes_max, post_packets_max": body,
    "message_bytes_max by polling": message_by_polling,
    "message_bytes_max": at_and_past([padded(16_384)], [padded(16_385)], 1009),
    "message_fragments_max": at_and_past(fragments(8_192), fragments(8_193), 1008),
    "control_frames_max": at_and_past([frame(PING, b"x") * 1_024], [frame(PING, b"x") * 1_025], 1008),
    "json_depth_max": at_and_past(nested(8), nested(9), NO_CODE, "parse error"),
    "attachments_max": at_and_past(with_attachments(10), with_attachments(11), NO_CODE, "parse error"),
    "attachments_bytes_max": at_and_past(
        with_attachments(2, 16_384), [*with_attachments(3, 16_384)], NO_CODE, "parse error"),
    "messages_per_s_max": messages,
    "subscribes_per_s_max": subscribes,
    "a flood of unknown events": flood('42["no_such_event"]'),
    "a flood of acknowledgements": flood("430[]"),
    "a flood of CONNECTs": flood("40/foo,"),
    "joining and leaving": flood("41", "40", reason="client namespace disconnect"),
    "a flood by polling": a_flood_by_polling,
    "a client that comes back to 100 sessions": a_client_that_comes_back,
    "a client that leaves 100 sessions": a_client_that_cleans_up,
}
