"""Good histories from a seed: a naive log, publishers that retry, observers of all kinds that come and go. For
history_checker_test.py, which breaks them."""

import copy
import functools
import random

from history import MUST, TERMINAL, delivery, fold_key

START_MS = 1_790_000_000_000
MODELS = ["a", "b"]
OBSERVER_KINDS = ["javascript resume", "javascript recovering", "javascript fold", "grpc"]


class Log:
    """One session's events, as records of the final reader."""

    def __init__(self, session, epoch):
        self.session, self.epoch, self.events, self.keys = session, epoch, [], {}

    def append(self, event, key, t):
        if key in self.keys:
            return self.keys[key], True
        record = {**event, "session": self.session, "epoch": self.epoch}
        record |= {"sequence": len(self.events) + 1, "time": START_MS + t // 1_000_000}
        self.events.append(record)
        self.keys[key] = record["sequence"]
        return record["sequence"], False

    @property
    def top(self):
        return len(self.events)

    @property
    def over(self):
        return bool(self.events) and self._class(self.events[-1]) == TERMINAL

    @staticmethod
    def _class(event):
        return delivery(event["kind"], event["status"])

    def fold(self, after=0, through=None):
        kept = {}
        for event in self.events:
            key = fold_key(event["kind"], event["of"], event["status"])
            if key is not None:
                kept[key] = event["sequence"]
        most = self.top if through is None else through
        return sorted(sequence for sequence in kept.values() if after < sequence <= most)

    def conflated(self, after):
        """Sequences behind `after` without those that a later one supersedes."""
        events = self.events[after:]
        last = {(event["kind"], event["of"]): event["sequence"] for event in events}
        return [
            event["sequence"]
            for event in events
            if self._class(event) in (MUST, TERMINAL)
            or last[(event["kind"], event["of"])] == event["sequence"]
        ]


class World:
    """Everything that one run has, moved on by steps."""

    def __init__(self, seed, steps=220):
        self.random = random.Random(seed)
        self.t = 1_000_000_000
        self.lines = {}
        self.logs = {
            f"s{i}": Log(f"s{i}", f"epoch{self.random.randrange(1000):03}") for i in range(3)
        }
        self.publishers = [Publisher(self, f"publisher-{i}", i % 2 == 1) for i in range(3)]
        self.observers = [
            Observer(self, f"observer-{i}", OBSERVER_KINDS[i % len(OBSERVER_KINDS)])
            for i in range(6)
        ]
        for step in range(steps):
            if step == steps // 2:
                self.write("runner", "hit", evidence="control was killed")
            self.random.choice(self.publishers).step()
            self.random.choice(self.observers).step()
        self._finish(seed)

    def tick(self):
        self.t += self.random.randrange(500_000, 5_000_000)
        return self.t

    def write(self, name, what, **fields):
        self.lines.setdefault(name, []).append({"t": self.tick(), "what": what, **fields})

    def _finish(self, seed):
        for publisher in self.publishers:
            publisher.finish()
        self.publishers[0].complete("s0")
        for observer in self.observers:
            observer.finish()
        self.write("final", "participant", who="final", role="final", kind="grpc")
        for session, log in self.logs.items():
            for event in log.events:
                self.write("final", "final", **event)
            place = {"session": session, "epoch": log.epoch if log.top else ""}
            self.write("final", "final_top", first=1, sequence=log.top, **place)
            if log.top:
                self.write("final", "snapshot", sequence=log.top, events=log.fold(), **place)
        who = [w for w in self.lines if w != "runner"] + ["runner"]
        needs = {"events": 50, "deliveries": 100, "hits": 1}
        run = {"seed": seed, "fault": "model", "participants": who, "needs": needs, "allows": []}
        self.write("runner", "run", **run)
        self.lines["runner"].insert(
            0, {"t": 1, "what": "participant", "who": "runner", "role": "runner", "kind": ""}
        )
        for name in self.lines:
            self.write(name, "end")


class Publisher:
    """Unary, or several calls in flight on streams."""

    def __init__(self, world, who, streams):
        self._world, self._who, self._streams = world, who, streams
        self._number, self._stream = 0, 0
        self._again = []  # (session, key, event) whose outcome is unknown
        world.write(who, "participant", who=who, role="publisher", kind="model")

    def _event(self):
        choose = self._world.random
        self._number += 1
        kind = choose.choice(["progress"] * 3 + ["model_result"] * 3 + ["custom", "clarification"])
        of, status = "", ""
        if kind == "progress":
            status = "PROCESSING"
        elif kind == "model_result":
            of = choose.choice(MODELS)
            status = choose.choice(["processing", "processing", "completed"])
        elif kind == "custom":
            of = "token"
        else:
            of, status = f"{self._who}-{self._number}", "pending"
        return {
            "kind": kind,
            "of": of,
            "status": status,
            "hash": f"{self._who}:{self._number}",
        }

    def step(self):
        sessions = [session for session, log in self._world.logs.items() if not log.over]
        session = self._world.random.choice(sessions)
        batch = [(s, key, event) for s, key, event in self._again if s == session]
        self._again = [entry for entry in self._again if entry[0] != session]
        for _ in range(self._world.random.randrange(1, 4) if self._streams else 1):
            event = self._event()
            batch.append((session, f"{self._who}/{self._number}", event))
        self._stream += 1
        self._publish(batch)

    def _publish(self, batch):
        groups = [batch] if self._streams else [[entry] for entry in batch]
        for group in groups:
            self._answer([(self._call(*entry), *entry) for entry in group])

    def _call(self, session, key, event):
        self._number += 1
        stream = {"stream": self._stream} if self._streams else {}
        fields = {"call": self._number, "session": session, "key": key, **event, **stream}
        self._world.write(self._who, "call", **fields)
        return self._number

    def _answer(self, calls):
        lost = False  # the connection: nothing behind it is answered
        for number, session, key, event in calls:
            chance = self._world.random.random()
            log = self._world.logs[session]
            if lost or chance < 0.06:
                if chance < 0.03 and not lost:
                    log.append(event, key, self._world.t)  # only the answer is lost
                lost = True
                self._again.append((session, key, event))
                self._outcome(number, result="unknown", code="UNAVAILABLE")
                continue
            if chance < 0.10 and key not in log.keys:
                self._outcome(number, result="failed", code="RESOURCE_EXHAUSTED")
                continue
            sequence, duplicate = log.append(event, key, self._world.t)
            place = {"epoch": log.epoch, "sequence": sequence, "duplicate": duplicate}
            self._outcome(number, result="acked", **place)

    def _outcome(self, number, **fields):
        self._world.write(self._who, "outcome", call=number, **fields)

    def finish(self):
        while self._again:
            session = self._again[0][0]
            batch = [entry for entry in self._again if entry[0] == session]
            self._again = [entry for entry in self._again if entry[0] != session]
            self._stream += 1
            self._publish(batch)

    def complete(self, session):
        self._number += 1
        event = {"kind": "completed", "of": "", "status": "", "hash": f"{self._who}:end"}
        log = self._world.logs[session]
        fields = {"session": session, "key": "end", **event, **self._last_stream()}
        self._world.write(self._who, "call", call=self._number, **fields)
        sequence, _ = log.append(event, "end", self._world.t)
        place = {"epoch": log.epoch, "sequence": sequence, "duplicate": False}
        self._outcome(self._number, result="acked", **place)

    def _last_stream(self):
        self._stream += 1
        return {"stream": self._stream} if self._streams else {}


class Observer:
    """A client that follows its kind's rule, on a server that does as well."""

    def __init__(self, world, who, kind):
        self._world, self._who, self._kind = world, who, kind
        self._position = {}  # by session: what the client has
        self._through = {}  # by session: where its last fold ended
        self._fold = {}  # by session: the fold that is still to come is of this top
        world.write(who, "participant", who=who, role="observer", kind=kind)
        self._sessions = ["s0", "s1"] if kind != "grpc" else ["s0"]
        self._connect(recovered=False)

    def _write(self, what, **fields):
        self._world.write(self._who, what, **fields)

    def _connect(self, recovered):
        self._write("connected", recovered=recovered)
        if recovered:
            for session, through in self._fold.items():
                if through is not None:
                    self._fold[session] = self._world.logs[session].top
            return
        for session in self._sessions:
            self._subscribe(session)

    def _subscribe(self, session):
        by_id = self._kind in ("javascript fold", "javascript recovering")
        log = self._world.logs[session]
        epoch = log.epoch if log.top else ""
        self._fold[session] = None
        if by_id:
            self._write("subscribe", session=session, after=None)
            if log.fold():
                self._fold[session] = log.top
            self._position[session] = 0 if log.fold() else log.top
        else:
            last = self._position.get(session, 0)
            after = {"epoch": log.epoch if last else "", "sequence": last}
            self._write("subscribe", session=session, after=after)
            self._position[session] = last
        sequence = self._position[session]
        self._write("subscribed", session=session, epoch=epoch, sequence=sequence)

    def step(self):
        chance = self._world.random.random()
        if chance < 0.08:
            self._write("disconnected", reason="transport close")
            recovers = self._kind == "javascript recovering" and chance < 0.06
            self._connect(recovered=recovers)
        elif chance < 0.12 and "s2" not in self._sessions and self._kind != "grpc":
            self._sessions.append("s2")
            self._subscribe("s2")
        elif chance < 0.15 and "s2" in self._sessions:
            self._sessions.remove("s2")
            self._write("unsubscribe", session="s2")
            self._write("unsubscribed", session="s2")
        else:
            self._deliver(self._world.random.choice(self._sessions), most=8)

    def _deliver(self, session, most):
        log = self._world.logs[session]
        slow = self._kind != "grpc" and self._world.random.random() < 0.5
        through = self._fold[session]
        if through is not None:
            coming = log.fold(self._position[session], through)
            piece = coming[: 2 if slow else most]
            for sequence in piece:
                self._receive(log, sequence)
            if len(piece) < len(coming):
                return
            self._through[session], self._fold[session] = through, None
        last = max(self._position[session], self._through.get(session, 0))
        coming = log.conflated(last) if slow else range(last + 1, log.top + 1)
        for sequence in coming[:most]:
            self._receive(log, sequence)

    def _receive(self, log, sequence):
        skipped = sequence - self._position[log.session] - 1
        self._write("event", **log.events[sequence - 1], skipped=skipped)
        self._position[log.session] = sequence

    def finish(self):
        for session in self._sessions:
            self._deliver(session, most=10**9)
            while self._fold[session] is not None:
                self._deliver(session, most=10**9)
            if self._kind == "grpc" and self._world.logs[session].over:
                self._write("ended", session=session)


@functools.cache
def _lines(seed):
    return World(seed).lines


def records(seed):
    """A good history: participant to lines, the caller's own."""
    return copy.deepcopy(_lines(seed))
