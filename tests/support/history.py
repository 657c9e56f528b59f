"""Histories of a run as tests/support/HISTORY.md defines them: reading the files, and what is known of a kind of event."""

import dataclasses
import json
import pathlib

LATEST, LATEST_BY_KEY, MUST, TERMINAL = "LATEST", "LATEST_BY_KEY", "MUST", "TERMINAL"
# What control writes by itself: nobody's call has it.
WRITTEN_BY_CONTROL = {
    ("progress", "EXPIRED"),
    ("clarification", "expired"),
    ("clarification", "cancelled"),
}


def delivery(kind, status):
    """The delivery class: said here again, so that a wrong option in the proto is seen."""
    if kind == "progress":
        return TERMINAL if status == "EXPIRED" else LATEST
    if kind == "model_result":
        return LATEST_BY_KEY if status == "processing" else MUST
    if kind == "completed" or (kind == "error" and status == "final"):
        return TERMINAL
    return MUST


def fold_key(kind, of, status):
    """What the fold keeps one of, or None for what it does not keep."""
    if kind == "custom" or (kind == "error" and status != "final"):
        return None
    return (kind, of)


@dataclasses.dataclass
class Call:
    """One call of a publisher with its outcome."""

    who: str
    number: int
    t: int
    session: str
    key: str
    kind: str
    of: str
    status: str
    hash: str
    stream: int | None
    result: str = "unknown"
    outcome_t: int | None = None
    epoch: str = ""
    sequence: int = 0
    duplicate: bool = False
    code: str = ""


@dataclasses.dataclass
class Event:
    """One event at its position, as somebody saw it."""

    session: str
    epoch: str
    sequence: int
    kind: str
    of: str
    status: str
    hash: str
    time: int

    @staticmethod
    def of_record(record):
        return Event(
            record["session"],
            record["epoch"],
            record["sequence"],
            record["kind"],
            record["of"],
            record["status"],
            record["hash"],
            record["time"],
        )

    @property
    def place(self):
        return (self.session, self.epoch, self.sequence)


@dataclasses.dataclass
class FinalLog:
    """A session as it is in the end."""

    epoch: str = ""
    first: int = 1
    top: int = 0
    events: list = dataclasses.field(default_factory=list)
    snapshot: dict | None = None


class History:
    """All that took part wrote down. `records` maps a participant to its lines, in order."""

    def __init__(self, records):
        self.records = records
        self.run = {"seed": None, "fault": "", "participants": [], "needs": {}, "allows": []}
        self.hits = []
        self.calls = []
        self.observers = {}  # who: its lines
        self.final = {}  # session: FinalLog
        for who, lines in records.items():
            roles = {line.get("role") for line in lines if line["what"] == "participant"}
            if "publisher" in roles:
                self._take_calls(who, lines)
            if "observer" in roles:
                self.observers[who] = lines
            if "final" in roles:
                self._take_final(lines)
            if "runner" in roles:
                self._take_run(lines)

    def allows(self, what):
        return what in self.run["allows"]

    def ended(self, who):
        return bool(self.records.get(who)) and self.records[who][-1]["what"] == "end"

    def _take_calls(self, who, lines):
        open_calls = {}
        for line in lines:
            if line["what"] == "call":
                call = Call(
                    who,
                    line["call"],
                    line["t"],
                    line["session"],
                    line["key"],
                    line["kind"],
                    line["of"],
                    line["status"],
                    line["hash"],
                    line.get("stream"),
                )
                open_calls[call.number] = call
                self.calls.append(call)
            elif line["what"] == "outcome":
                call = open_calls[line["call"]]
                call.result, call.outcome_t = line["result"], line["t"]
                call.epoch, call.sequence = line.get("epoch", ""), line.get("sequence", 0)
                call.duplicate, call.code = line.get("duplicate", False), line.get("code", "")

    def _take_final(self, lines):
        for line in lines:
            what = line["what"]
            if what == "final":
                self._final_of(line).events.append(Event.of_record(line))
            elif what == "final_top":
                log = self._final_of(line)
                log.epoch, log.top, log.first = line["epoch"], line["sequence"], line["first"]
            elif what == "snapshot":
                self._final_of(line).snapshot = line

    def _final_of(self, line):
        return self.final.setdefault(line["session"], FinalLog())

    def _take_run(self, lines):
        for line in lines:
            if line["what"] == "run":
                self.run = {**self.run, **line}
            elif line["what"] == "hit":
                self.hits.append(line)


def read(directory):
    """The history in a directory. A torn last line is left out: that file then has no `end`."""
    records = {}
    for path in sorted(pathlib.Path(directory).glob("*.jsonl")):
        lines = []
        for line in path.read_bytes().split(b"\n"):
            try:
                if line:
                    lines.append(json.loads(line))
            except ValueError:
                break
        records[path.stem] = lines
    return History(records)


def write(directory, records):
    for who, lines in records.items():
        with open(pathlib.Path(directory, f"{who}.jsonl"), "w", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line) + "\n")
