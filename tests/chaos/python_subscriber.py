"""A python-socketio client of a chaos run that follows the resume rule; writes its history (tests/support/HISTORY.md).

Configured by one line of JSON on stdin, then told {"tops": {session: [epoch, sequence]}} and {"end": true}, a line each.
Says how far it is, a line of JSON every 200 ms.
"""

import asyncio
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import sys
import time

import socketio

STATUS_EVERY_S = 0.2
CONNECT_EVERY_S = 0.2
CONNECT_S_MAX = 4
SILENT_S_MAX = 12
LINE_BYTES_MAX = 1024 * 1024
KINDS = ("progress", "model_result", "clarification", "completed", "error", "token", "note")


def identity(name, data):
    """What identifies an event for the checker."""
    if name == "progress":
        text = f"{data['progress']} {data.get('result', {}).get('text', '')}"
        parts = ["progress", "", data["status"], text]
    elif name == "model_result":
        of = f"{data['modelName']}/{data.get('runId', '')}"
        parts = ["model_result", of, data["status"], data["result"]]
    elif name == "clarification":
        text = f"{data['question']}|{data.get('response', '')}"
        parts = [name, data["clarificationId"], data.get("outcome", data["status"]), text]
    elif name == "completed":
        parts = ["completed", "", "", data["result"].get("text", "")]
    elif name == "error":
        parts = ["error", "", "final" if data.get("final") else "", data["error"]]
    else:
        parts = ["custom", name, "", data["data"].get("text", "")]
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
    return dict(zip(("kind", "of", "status"), parts)) | {"hash": digest}


def milliseconds(timestamp):
    time_of = datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return round(time_of.timestamp() * 1000)


class Subscriber:
    """One client. Of the two of python-socketio the asyncio one: the other starts a thread for each event, so that even
    its own handlers see them in any order."""

    def __init__(self, config):
        self.delivered = self.connects = 0
        self.tops = None
        self._heard = time.monotonic()
        self.ending = asyncio.Event()
        self._who = config["who"]
        self._url = config["url"]
        self._transports = config["transports"]
        self._positions = {session: {"epoch": "", "sequence": 0} for session in config["sessions"]}
        self._open = set()
        path = pathlib.Path(config["directory"], f"{self._who}.jsonl")
        self._file = open(path, "w", encoding="utf-8")
        kind = f"python {'+'.join(self._transports)} resume"
        self._write("participant", who=self._who, role="observer", kind=kind)
        self._sio = None

    def _client(self):
        # Its own reconnection ends for good on what connect() does not expect (5.7: a probe that is cut).
        sio = socketio.AsyncClient(reconnection=False)

        def on(name, handle):
            # A client that was given up is not heard any more.
            sio.on(name, lambda *said: handle(*said) if sio is self._sio else None)

        sio.on("connect", self._connected)
        on("disconnect", self._disconnected)
        for name in ("subscribed", "resync"):
            on(name, lambda data, *_, name=name: self._placed(name, data))
        for name in KINDS:
            on(name, lambda data, *_, name=name: self._saw(name, data))
        return sio

    def _write(self, what, **fields):
        if not self._file.closed:
            self._file.write(json.dumps({"t": time.monotonic_ns(), "what": what, **fields}) + "\n")

    async def _connected(self):
        self.connects += 1
        self._write("connected", recovered=False)
        self._open.clear()
        for session, position in self._positions.items():
            self._write("subscribe", session=session, after=position)
            await self._sio.emit("subscribe", {"sessionId": session, "after": position})

    def _disconnected(self, *reason):
        self._write("disconnected", reason=str(reason))

    def _placed(self, name, data):
        self._heard = time.monotonic()
        place = {"epoch": data["epoch"], "sequence": data["sequence"]}
        self._write(name, session=data["sessionId"], **place)
        self._positions[data["sessionId"]] = place
        self._open.add(data["sessionId"])

    def _saw(self, name, data):
        if name == "error" and "sequence" not in data:
            self._write("refused", session=data.get("sessionId", ""), error=data["error"])
            return
        self.delivered += 1
        self._heard = time.monotonic()
        session, place = data["sessionId"], {"epoch": data["epoch"], "sequence": data["sequence"]}
        more = {"skipped": data.get("skipped", 0), "time": milliseconds(data["timestamp"])}
        self._write("event", session=session, **place, **more, **identity(name, data))
        last = self._positions[session]
        if last["epoch"] != place["epoch"] or last["sequence"] < place["sequence"]:
            self._positions[session] = place

    async def run(self):
        """Connects, and again whenever the connection has ended, as people write it around this library."""
        while not self.ending.is_set():
            self._sio = self._client()
            connecting = self._sio.connect(
                self._url, transports=self._transports, wait_timeout=CONNECT_S_MAX
            )
            with contextlib.suppress(Exception):  # of many kinds
                await asyncio.wait_for(connecting, CONNECT_S_MAX + 1)
            self._heard = time.monotonic()
            while self._sio.connected and not self._is_stuck():
                await asyncio.sleep(CONNECT_EVERY_S)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._sio.disconnect(), CONNECT_S_MAX)

    def _is_stuck(self):
        """5.7 again: a read loop that waits for ever says `connected`, also when the server has long given it up."""
        waits = self.tops is None or self._missing()
        return bool(waits) and time.monotonic() - self._heard > SILENT_S_MAX

    def _is_connected(self):
        return self._sio is not None and self._sio.connected

    def _missing(self):
        state = "connected" if self._is_connected() else "not connected"
        return [
            f"{self._who} {session}: at {position['sequence']} of {self.tops[session][1]}, {state}"
            for session, position in self._positions.items()
            if session not in self._open
            or [position["epoch"], position["sequence"]] != self.tops[session]
        ]

    def status(self):
        status = {"delivered": self.delivered, "connects": self.connects, "recovered": 0}
        status["connected"] = int(self._is_connected())
        if self.tops is not None:
            status["missing"] = self._missing()
        return status

    def end(self):
        self._write("end")
        self._file.close()


async def listen(subscriber, lines):
    while line := await lines.readline():
        command = json.loads(line)
        subscriber.tops = command.get("tops", subscriber.tops)
        if "end" in command:
            break
    subscriber.ending.set()


async def main():
    lines = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    subscriber = Subscriber(json.loads(await lines.readline()))
    connecting = asyncio.create_task(subscriber.run())
    listening = asyncio.create_task(listen(subscriber, lines))
    while not subscriber.ending.is_set():
        print(json.dumps(subscriber.status()), flush=True)
        await asyncio.sleep(STATUS_EVERY_S)
    subscriber.end()
    for task in (connecting, listening):
        task.cancel()
    os._exit(0)  # nothing of socketio's is waited for


asyncio.run(main())
