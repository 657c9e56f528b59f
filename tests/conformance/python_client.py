"""Debian's python-socketio: events, binary, acks and a namespace, by one transport.

Usage: python_client.py URL TRANSPORTS [EXTRA]. EXTRA: so many arguments of the server's own, texts, end each event.
"""
import queue
import sys

import socketio

PATIENCE_S = 15


def main(url, transports, extra=0):
    client = socketio.Client(reconnection=False)
    backs, auths = queue.Queue(), queue.Queue()

    def own(arguments):
        own_count = len(arguments) - extra
        assert all(isinstance(argument, str) for argument in arguments[own_count:]), arguments
        return arguments[:own_count]

    client.on("message-back", lambda *arguments: backs.put(own(arguments)))
    for namespace in ("/", "/custom"):
        client.on("auth", lambda *arguments: auths.put(*own(arguments)), namespace=namespace)
    client.connect(url, transports=transports, auth={"who": "me"}, namespaces=["/", "/custom"])
    got = [auths.get(timeout=PATIENCE_S) for _ in range(2)]
    assert got == [{"who": "me"}] * 2, got
    arguments = ("text", 5, {"deep": [b"\x01\x02\x03"]}, b"\x07" * 70_000)
    client.emit("message", arguments)
    assert backs.get(timeout=PATIENCE_S) == arguments
    acked = client.call("message-with-ack", arguments, timeout=PATIENCE_S)
    assert tuple(acked) == arguments, acked
    # All at once: python-engineio refuses a poll of more than 16 packets, so the server sends no more.
    numbers = range(200)
    for number in numbers:
        client.emit("message", number)
    assert [backs.get(timeout=PATIENCE_S) for _ in numbers] == [(n,) for n in numbers]
    expected = "polling" if transports == ["polling"] else "websocket"
    assert client.transport() == expected, client.transport()
    client.disconnect()


main(sys.argv[1], sys.argv[2].split(","), *map(int, sys.argv[3:]))
