"""WebSocket frames that break RFC 6455, or are too many or too big: the close code, and the reason that the socket is told."""

from peer import BINARY, CLOSE, NO_CODE, PING, PONG, TEXT, Peer, frame, text


def closes(code, *data, reason="transport error"):
    """After these bytes (in pieces that are sent one after the other) the websocket closes with this code."""

    async def row(stage):
        peer = await Peer.joined(stage.port)
        for piece in data:
            await peer.send(piece)
        got = await peer.closed()
        assert got == code, f"closed with {got}, not {code}"
        assert await peer.rest() == b"", "nothing follows the close frame"
        assert await stage.reason(peer.socket_id) == reason
        peer.leave()

    return row


def lives(*data):
    """These bytes are odd, but legal: the websocket still answers afterwards."""

    async def row(stage):
        peer = await Peer.joined(stage.port)
        for piece in data:
            await peer.send(piece)
        await peer.send(text('42["subscribe",""]'))
        answer = await peer.text()
        assert answer.startswith('42["error",{"error":"invalid session id"'), answer
        peer.leave()

    return row


async def nothing_is_allocated(stage):
    """A declared length of 2^40 is refused at the header, by each of a hundred at once."""
    before = stage.memory("VmRSS")
    peers = [await Peer.joined(stage.port) for _ in range(100)]
    for peer in peers:
        await peer.send(frame(TEXT, length=2**40))
    for peer in peers:
        assert await peer.closed() == 1009
        peer.leave()
    more = stage.memory("VmRSS") - before
    assert more < 64 * 1024 * 1024, f"{more} bytes more"


async def reset_in_mid_frame(stage):
    peer = await Peer.joined(stage.port)
    await peer.send(frame(TEXT, b"x" * 10, length=1_000))
    peer.reset()
    assert await stage.reason(peer.socket_id) in ("transport error", "transport close")


async def closed_in_mid_frame(stage):
    peer = await Peer.joined(stage.port)
    await peer.send(frame(TEXT, b"x" * 10, length=1_000))
    peer.writer.write_eof()
    assert await stage.reason(peer.socket_id) in ("transport error", "transport close")


def echoes(code):
    async def row(stage):
        peer = await Peer.joined(stage.port)
        await peer.send(frame(CLOSE, code.to_bytes(2, "big") + b"why"))
        assert await peer.closed() == code
        assert await stage.reason(peer.socket_id) == "transport close"

    return row


def begun(piece):
    return frame(TEXT, piece, final=False)


MESSAGE = b'42["subscribe",""]'
FRAGMENTS = begun(b"4") + frame(0, b"2", final=False) * 10_000

ROWS = {
    "an unmasked frame": closes(1002, frame(TEXT, b"42", masked=False)),
    "an unmasked frame of which only two bytes come": closes(1002, b"\x81\x02"),
    **{f"reserved bit {bit:#x}": closes(1002, frame(TEXT, b"42", reserved=bit)) for bit in (0x40, 0x20, 0x10)},
    **{f"opcode {opcode:#x}": closes(1002, frame(opcode, b"42")) for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)},
    "a fragmented ping": closes(1002, frame(PING, b"", final=False)),
    "a fragmented close": closes(1002, frame(CLOSE, b"", final=False)),
    "a ping of 126 bytes": closes(1002, frame(PING, b"x" * 126)),
    "a pong of 126 bytes": closes(1002, frame(PONG, b"x" * 126)),
    "a close of 126 bytes": closes(1002, frame(CLOSE, b"\x03\xe8" + b"x" * 124)),
    "a continuation without start": closes(1002, frame(0, b"x")),
    "a message within a message": closes(1002, begun(b"4") + frame(TEXT, b"2")),
    "a declared length of 2^40": closes(1009, frame(TEXT, length=2**40)),
    "a declared length of 2^63": closes(1009, frame(TEXT, length=2**63)),
    "a declared length of 2^64 - 1": closes(1009, frame(BINARY, length=2**64 - 1)),
    "2^40, a hundred at once": nothing_is_allocated,
    "fragments over the limit together": closes(1009, begun(b"4" * 16_000), frame(0, b"x" * 400)),
    "10,000 one-byte fragments": closes(1008, FRAGMENTS),
    "10,000 empty fragments": closes(1008, begun(b"4") + frame(0, b"", final=False) * 10_000),
    "invalid UTF-8": closes(1007, frame(TEXT, b"4\xff")),
    "invalid UTF-8, at once": closes(1007, frame(TEXT, b"4\xff", length=1_000)),
    "UTF-8 cut off at the end": closes(1007, frame(TEXT, b"4\xe2\x82")),
    "UTF-8 broken over fragments": closes(1007, begun(b"4\xe2"), frame(0, b"\x28\xa1")),
    "an overlong NUL": closes(1007, frame(TEXT, b"4\xc0\x80")),
    "a surrogate as UTF-8": closes(1007, frame(TEXT, b"4\xed\xa0\x80")),
    "UTF-8 over U+10FFFF": closes(1007, frame(TEXT, b"4\xf4\x90\x80\x80")),
    "invalid UTF-8 in a close": closes(1007, frame(CLOSE, b"\x03\xe8\xff")),
    "a close of one byte": closes(1002, frame(CLOSE, b"\x03")),
    **{f"a close with {code}": closes(1002, frame(CLOSE, code.to_bytes(2, "big")))
       for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)},
    "a ping flood": closes(1008, frame(PING, b"x") * 2_000),
    "a pong flood": closes(1008, frame(PONG, b"x") * 2_000),
    "a ping flood within a message": closes(1008, begun(b"4") + frame(PING) * 2_000),
    "a reset in mid-frame": reset_in_mid_frame,
    "an end in mid-frame": closed_in_mid_frame,
    "a text that is no packet": closes(NO_CODE, text("x"), reason="parse error"),
    "an empty text": closes(NO_CODE, text(""), reason="parse error"),
    "a server's packet": closes(NO_CODE, text("2"), reason="parse error"),
    "a client's own close": echoes(1000),
    "a client's own code": echoes(4999),
    "a length that is not minimal": lives(b"\x81\xfe\x00\x01" + bytes(4) + b"5"),
    "a ping": lives(frame(PING, b"p")),
    "a flood of pongs of Engine.IO": lives(text("3") * 5_000),
    "byte by byte": lives(*(bytes([byte]) for byte in frame(PONG, b"odd, but legal"))),
}
