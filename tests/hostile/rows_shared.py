"""Limits of all clients together, each at the limit and one past it: connections, and those of one address."""

from peer import POLLING, UPGRADE, WEBSOCKET, Peer, fetch, post, request

CONNECTIONS_MAX, PER_ADDRESS_MAX = 20, 6
EDGE_FLAGS = (
    f"--connections_max={CONNECTIONS_MAX}", f"--connections_per_address_max={PER_ADDRESS_MAX}",
    "--trusted_proxies=127.0.0.0/8,10.0.0.0/8", "--connect_timeout_ms=60000",
)  # fmt: skip


async def handshake(stage, client):
    """A polling handshake that a proxy passes on."""
    return await fetch(stage.port, request(f"GET {POLLING}", f"X-Forwarded-For: 203.0.113.5, {client}, 10.1.1.1"))


async def limits(stage):
    """One after another: each counts what the others hold."""
    sids = []

    async def fill(client, count):
        for _ in range(count):
            response = await handshake(stage, client)
            assert response.status == 200, response
            sids.append(response.body[9:29].decode())

    await fill("192.0.2.1", PER_ADDRESS_MAX)
    assert (await fetch(stage.port, post(sids[0], "40"))).status == 200
    await stage.says(r"WebSocket client connected: \S+ from 192\.0\.2\.1\n")
    response = await handshake(stage, "192.0.2.1")
    assert response.status == 429 and b"(connections_per_address_max)" in response.body, response
    assert response.fields["retry-after"] == "1", response
    peer = await Peer.connect(stage.port, request(f"GET {WEBSOCKET}", *UPGRADE, "X-Forwarded-For: 192.0.2.1"))
    assert (await peer.response()).status == 429
    await stage.says("limit reached: connections_per_address_max: 192.0.2.1 was turned away")
    await fill("2001:db8::1", PER_ADDRESS_MAX)
    response = await handshake(stage, "2001:db8::ffff:1")
    assert response.status == 429, "it is of the same /64"
    await fill("192.0.2.2", CONNECTIONS_MAX - 2 - 2 * PER_ADDRESS_MAX)  # the witnesses are two
    response = await handshake(stage, "192.0.2.3")
    assert response.status == 503 and response.body == b"Too many connections (connections_max)", response
    await stage.says("limit reached: connections_max: 192.0.2.3 was turned away")
    await fetch(stage.port, post(sids.pop(), "1"))
    await fill("192.0.2.3", 1)
    for sid in sids:
        assert (await fetch(stage.port, post(sid, "1"))).status == 200


ROWS = {"connections_max, connections_per_address_max": limits}
