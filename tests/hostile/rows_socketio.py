"""Socket.IO packets and the edge's own events: what ends the connection, with which reason, and what is only refused."""

import asyncio
import json

from peer import BINARY, NO_CODE, Peer, fetch, frame, open_polling, poll, post, random_id, text

INVALID_ID = "invalid session id"


def ends(*texts, reason="parse error", code=NO_CODE):
    """A socket that sends these is disconnected, for this reason."""

    async def row(stage):
        peer = await Peer.joined(stage.port)
        for one in texts:
            await peer.send(one if isinstance(one, bytes) else text(one))
        got = await peer.closed()
        assert got == code, f"closed with {got}"
        assert await stage.reason(peer.socket_id) == reason
        peer.leave()

    return row


def ends_before_joining(*texts):
    async def row(stage):
        peer = await Peer.websocket(stage.port)
        for one in texts:
            await peer.send(text(one))
        assert await peer.closed() == NO_CODE
        peer.leave()

    return row


async def still_answers(peer):
    session = random_id()
    await peer.send(text(f'427["subscribe","{session}"]'))
    while (answer := await peer.text()) is not None:
        if answer.startswith("437["):
            assert json.loads(answer[3:])[0]["ok"] is True, answer
            return
    raise AssertionError("the connection ended")


def is_answered(sent, *answers):
    """These come in turn, and the connection stays."""

    async def row(stage):
        peer = await Peer.joined(stage.port)
        await peer.send(text(sent))
        for expected in answers:
            answer = await peer.text()
            assert answer == expected, answer
        await still_answers(peer)
        peer.leave()

    return row


def is_refused(event, argument, what, *, raw=None):
    """An `error` event that says this, the same in the acknowledgement, and the connection stays."""

    async def row(stage):
        peer = await Peer.joined(stage.port)
        arguments = "" if raw == "" else "," + (raw or json.dumps(argument))
        for with_ack in (False, True):
            await peer.send(text(f'42{"8" if with_ack else ""}["{event}"{arguments}]'))
            name, payload = json.loads((await peer.text())[2:])
            assert name == "error" and what in payload["error"], payload
            assert "timestamp" in payload and "sequence" not in payload, payload
            if with_ack:
                answer = await peer.text()
                assert answer.startswith("438[") and what in json.loads(answer[3:])[0]["error"], answer
        await still_answers(peer)
        peer.leave()

    return row


def is_ignored(*texts):
    async def row(stage):
        peer = await Peer.joined(stage.port)
        for one in texts:
            await peer.send(text(one))
        await still_answers(peer)
        peer.leave()

    return row


async def above_the_top(stage):
    """A position above the last event is answered by `resync`."""
    peer = await Peer.joined(stage.port)
    session = random_id()
    await peer.send(text(json.dumps(["subscribe", {"sessionId": session, "after": {"epoch": "nonesuch", "sequence": 7}}]).join(["42", ""])))
    names = [json.loads((await peer.text())[2:])[0] for _ in range(2)]
    assert names == ["subscribed", "resync"], names
    await still_answers(peer)
    peer.leave()


async def an_event_in_the_connects_payload(stage):
    """CONNECT and an event in one POST: both are handled."""
    sid = await open_polling(stage.port)
    assert (await fetch(stage.port, post(sid, '40\x1e42["subscribe","../x"]'))).status == 200
    body = (await fetch(stage.port, poll(sid))).body.decode()
    assert INVALID_ID in body, body
    await fetch(stage.port, post(sid, "1"))


async def too_many_sessions(stage):
    """The limit, and one past it."""
    peer = await Peer.joined(stage.port)
    for i in range(100):
        await peer.send(text(f'42{i}["subscribe","many-{i}"]'))
    granted = 0
    while granted < 100:
        answer = await peer.text()
        assert not answer.startswith('42["error"'), answer
        granted += answer.startswith("43")
    await asyncio.sleep(0.15)  # of the rate of subscribes: one is granted each 100 ms
    await peer.send(text('42["subscribe","one-more"]'))
    name, payload = json.loads((await peer.text())[2:])
    assert name == "error" and "(sessions_max)" in payload["error"], payload
    assert payload["sessionId"] == "one-more"
    peer.leave()


def joins_anew(auth):
    """What a client that says it comes back presents is none of ours: it is a new socket, and nothing else."""

    async def row(stage):
        peer = await Peer.joined(stage.port, json.dumps({"recovery": True, **auth}))
        await still_answers(peer)
        peer.leave()

    return row


def deep(levels):
    return '42["subscribe",' + "[" * (levels - 1) + "]" * (levels - 1) + "]"


def attachments(count, sent=0, placeholder='{"_placeholder":true,"num":0}', tail=()):
    head = f'45{count}-["no_such_event",{placeholder}]'
    return [head, *[frame(BINARY, b"x")] * sent, *tail]


ROWS = {
    "an event before CONNECT": ends_before_joining('42["subscribe","x"]'),
    "an acknowledgement before CONNECT": ends_before_joining("430[]"),
    "a DISCONNECT before CONNECT": ends_before_joining("41"),
    "a second CONNECT": ends("40", reason="forced close"),
    "a namespace that does not exist": is_answered("40/foo,", '44/foo,{"message":"Invalid namespace"}'),
    "a namespace of __proto__": is_answered("40/__proto__,", '44/__proto__,{"message":"Invalid namespace"}'),
    "an event to a namespace that does not exist": ends('42/foo,["x"]', reason="forced close"),
    "CONNECT with an array": ends_before_joining("40[]"),
    "CONNECT with a string": ends_before_joining('40"x"'),
    "CONNECT with what is no JSON": ends_before_joining("40{"),
    "CONNECT with JSON 9 deep": ends_before_joining("40" + '{"a":' * 9 + "1" + "}" * 9),
    **{f"recovery with {name}": joins_anew(auth) for name, auth in {
        "a pid of 5": {"pid": 5, "offset": "x"}, "a pid without offset": {"pid": "x" * 20},
        "an offset of 12 KB": {"pid": "x" * 20, "offset": "x" * 12_000}, "an offset that is an object": {"pid": "x", "offset": {}},
        "a NUL": {"pid": "\0" * 20, "offset": "\0"}, "bad sessions": {"pid": "x" * 20, "offset": "1../x:e:1"},
    }.items()},
    "an event without data": ends("42"),
    "42{}": ends("42{}"),
    "42[]": ends("42[]"),
    "42[null]": ends("42[null]"),
    "42[{}]": ends("42[{}]"),
    **{f"a reserved name: {name}": ends(f'42["{name}"]') for name in (
        "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")},
    "a CONNECT_ERROR from a client": ends('44{"message":"x"}'),
    "an unknown packet type": ends("47[]"),
    "a DISCONNECT with data": ends("41{}"),
    "an acknowledgement of an object": ends("430{}"),
    "an acknowledgement's id over 2^53": ends('429007199254740993["x"]'),
    "an acknowledgement's id of 10 KB": ends("42" + "9" * 10_000 + '["x"]'),
    "an unknown event": is_ignored('42["no_such_event",{"a":1}]'),
    "an event called __proto__": is_ignored('42["__proto__",{"__proto__":{"a":1}}]'),
    "an event called 5": is_ignored("42[5]"),
    "the server's own events": is_ignored('42["progress",{}]', '42["completed",{}]', '42["error",{}]'),
    "an event with a name of 15 KB": is_ignored('42["' + "x" * 15_000 + '"]'),
    "a byte order mark": ends('42\ufeff["subscribe","x"]'),
    "a number of thirty digits": is_refused("subscribe", None, INVALID_ID, raw="9" * 30),
    "an acknowledgement of nothing": is_ignored("437[]"),
    "eleven attachments": ends(*attachments(11)),
    "a thousand attachments": ends(*attachments(1_000)),
    "no attachments": ends(*attachments(0)),
    "-1 attachments": ends(*attachments(-1)),
    "a placeholder out of range": ends(*attachments(1, sent=1, placeholder='{"_placeholder":true,"num":1}')),
    "a placeholder below zero": ends(*attachments(1, sent=1, placeholder='{"_placeholder":true,"num":-1}')),
    "a placeholder of a fraction": ends(*attachments(1, sent=1, placeholder='{"_placeholder":true,"num":0.5}')),
    "a placeholder of a string": ends(*attachments(1, sent=1, placeholder='{"_placeholder":true,"num":"length"}')),
    "a text where an attachment is due": ends(*attachments(2, sent=1, tail=['42["subscribe","x"]'])),
    "an attachment where none is due": ends(frame(BINARY, b"x")),
    "attachments too large together": ends(*attachments(4, tail=[frame(BINARY, bytes(16_000))] * 4)),
    "one attachment placed a thousand times": ends(
        '451-["no_such_event",' + ",".join(['{"_placeholder":true,"num":0}'] * 500) + "]", frame(BINARY, bytes(16_000))),
    **{f"subscribe with {name}": is_refused("subscribe", argument, INVALID_ID) for name, argument in {
        "5": 5, "null": None, "true": True, "an object": {}, "an array": ["x"], "10 KB": "x" * 10_000, "../x": "../x",
        "an empty id": "", "__proto__": "__proto__", "constructor": "constructor", "a space": "a b", "a NUL": "a\0b",
        "129 characters": "x" * 129, "an emoji": "\U0001f600", "an object in an object": {"sessionId": {"sessionId": "x"}},
    }.items()},
    "subscribe with nothing": is_refused("subscribe", None, INVALID_ID, raw=""),
    "unsubscribe with nothing": is_refused("unsubscribe", None, INVALID_ID, raw=""),
    "unsubscribe with an object": is_refused("unsubscribe", {}, INVALID_ID),
    **{f"after: {json.dumps(after)}": is_refused("subscribe", {"sessionId": "x", "after": after}, "invalid after")
       for after in (5, "5", [], {}, {"epoch": "e"}, {"sequence": 1}, {"epoch": 5, "sequence": 1},
                     {"epoch": "x" * 129, "sequence": 1}, {"epoch": "e", "sequence": -1}, {"epoch": "e", "sequence": 1.5},
                     {"epoch": "e", "sequence": "1"}, {"epoch": "e", "sequence": 2**63}, {"epoch": "e", "sequence": None})},
    "after of 1e300": is_refused("subscribe", None, "invalid after", raw='{"sessionId":"x","after":{"epoch":"e","sequence":1e300}}'),
    "after above the top": above_the_top,
    "an answer without anything": is_refused("clarification_response", {}, "sessionId"),
    "an answer to ../x": is_refused(
        "clarification_response", {"sessionId": "../x", "clarificationId": "c", "response": "r"}, "sessionId"),
    "an answer that is no string": is_refused(
        "clarification_response", {"sessionId": "x", "clarificationId": "c", "response": 5}, "response"),
    "JSON 9 deep": ends(deep(9)),
    "JSON 8 deep": is_refused("subscribe", None, INVALID_ID, raw="[" * 7 + "]" * 7),
    "16 KB of [": ends("42" + "[" * 16_000),
    "16 KB of {": ends("42[" + '{"a":' * 3_000),
    "JSON that is cut off": ends('42["subscribe"'),
    "JSON with something behind": ends('42["subscribe","x"]]'),
    "a NUL behind the JSON": ends('42["x"]\0'),
    "a lone surrogate": ends('42["subscribe","\\ud800"]'),
    "NaN": ends('42["subscribe",NaN]'),
    "Infinity": ends('42["subscribe",-Infinity]'),
    "1e999": ends('42["subscribe",1e999]'),
    "a number with a leading zero": ends('42["subscribe",01]'),
    "a comment": ends('42["subscribe"/**/]'),
    "single quotes": ends("42['subscribe']"),
    "a message over 16 KiB": ends("42" + json.dumps(["x", "y" * 17_000]), reason="transport error", code=1009),
    "an event in the CONNECT's payload": an_event_in_the_connects_payload,
    "sessions at the limit, and one more": too_many_sessions,
}
