"""Handshakes of an edge: those beyond the rate wait their turn, and those that would wait for too long are told so.

How soon the machine lets them come is not known: what is held is true however late they come."""

import asyncio
import time

from peer import POLLING, UPGRADE, WEBSOCKET, Peer, fetch, knows, post, request

PER_S_MAX, WAIT_S_MAX, BURST_S = 4, 1.0, 0.1
AT_ONCE = 60
EDGE_FLAGS = (
    f"--handshakes_per_s_max={PER_S_MAX}", f"--handshake_wait_ms_max={int(WAIT_S_MAX * 1000)}",
    "--io_threads=1", "--connect_timeout_ms=60000",
)  # fmt: skip
# Of those that come when the rate was not used for a while: their turns are BURST_S ago, and each 1 / PER_S_MAX later.
SERVED_MIN = int((WAIT_S_MAX + BURST_S) * PER_S_MAX) + 1


async def handshakes(stage):
    """Many at once, every fourth by websocket."""
    peers = [await Peer.connect(stage.port) for _ in range(AT_ONCE)]
    await asyncio.sleep(1 / PER_S_MAX + BURST_S)  # the turn that the last one took is over
    began = time.monotonic()

    async def answer(i, peer):
        upgrade = i % 4 == 1
        response = await peer.ask(request(f"GET {WEBSOCKET}", *UPGRADE) if upgrade else request(f"GET {POLLING}"))
        return response, time.monotonic() - began, peer

    answers = await asyncio.gather(*(answer(i, peer) for i, peer in enumerate(peers)))
    served = [one for one in answers if one[0].status in (101, 200)]
    for response, _, peer in answers:
        if response.status in (101, 200):
            continue
        assert response.status == 503 and response.body == b"Too many handshakes (handshakes_per_s_max)", response
        assert response.fields["retry-after"] == "1" and await peer.rest() == b"", response
    assert SERVED_MIN <= len(served) < AT_ONCE, f"{len(served)} of {AT_ONCE} were served"
    for i, (_, seconds, _) in enumerate(sorted(served, key=lambda one: one[1])):
        assert seconds >= i / PER_S_MAX - BURST_S, f"the handshake {i + 1} was answered after {seconds:.3f} s"
    await stage.says("limit reached: handshakes_per_s_max: 127.0.0.1 was turned away")
    for response, _, peer in served:
        if response.status == 200:
            sid = response.body[9:29].decode()
            assert await knows(stage.port, sid), "who waited is served as any other"
            assert (await fetch(stage.port, post(sid, "1"))).status == 200
        else:
            assert (await peer.text()).startswith('0{"sid":"')
        peer.leave()
    (await Peer.joined(stage.port)).leave()  # and who comes after all this


ROWS = {"handshakes_per_s_max, handshake_wait_ms_max": handshakes}
