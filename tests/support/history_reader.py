"""The rules of one observer: what it may see, in which order, and what may be left out (tests/support/HISTORY.md)."""

import bisect
import dataclasses

from history import LATEST, LATEST_BY_KEY, Event, delivery, fold_key


@dataclasses.dataclass
class Subscription:
    """One standing interest of an observer, as the checker follows it."""

    after: dict | None  # what was asked for; None: by id
    epoch: str = ""
    sequence: int = 0
    open: bool = False  # `subscribed` has arrived
    here: bool = True  # its connection stands
    leaving: bool = False
    voided: dict | None = None  # the `subscribed` that gave another position: `resync` must follow
    fold: bool = False  # a fold may be under way ...
    fold_t: int | None = None  # ... whose first event arrived then
    stream_ended: bool = False


class KnownEvents:
    """Every event that anybody saw, and when each payload was first published."""

    def __init__(self, history):
        self.places = {}
        self.called = {}  # (session, hash): when first called
        for call in history.calls:
            at = (call.session, call.hash)
            self.called[at] = min(call.t, self.called.get(at, call.t))
        self._keyed = {}  # (session, epoch, kind, of): sequences

    def add(self, event):
        """The event known at this place before, if there was one."""
        known = self.places.setdefault(event.place, event)
        if known is not event:
            return known
        keyed = self._keyed.setdefault((event.session, event.epoch, event.kind, event.of), [])
        bisect.insort(keyed, event.sequence)
        return None

    def superseder(self, event):
        """The next event that supersedes this one, or None."""
        if delivery(event.kind, event.status) not in (LATEST, LATEST_BY_KEY):
            return None
        keyed = self._keyed[(event.session, event.epoch, event.kind, event.of)]
        after = bisect.bisect_right(keyed, event.sequence)
        if after == len(keyed):
            return None
        return self.places[(event.session, event.epoch, keyed[after])]

    def fold_superseder(self, event):
        """The next event that takes this one's place in the fold, or None."""
        keyed = self._keyed[(event.session, event.epoch, event.kind, event.of)]
        for sequence in keyed[bisect.bisect_right(keyed, event.sequence) :]:
            other = self.places[(event.session, event.epoch, sequence)]
            if fold_key(other.kind, other.of, other.status) is not None:
                return other
        return None

    def called_before(self, event, t):
        """Whether it had been published by then, as far as is known: control's own have no call."""
        return self.called.get((event.session, event.hash), t) <= t


class ReaderRules:
    """Follows one observer's lines and reports what breaks a rule."""

    def __init__(self, history, known, report):
        self._history = history
        self._known = known
        self._report = report
        self._who = ""
        self._skips_nothing = False
        self._held = {}
        self._may_lose = history.allows("new_epoch") or history.allows("trimmed")
        self.deliveries = 0
        self.reconnects = 0
        self.recovered = 0

    def follow(self, who, lines):
        self._who = who
        self._held = {}
        delivered = False  # on this connection: one that got nothing is not counted
        for line in lines:
            what = line["what"]
            if what == "participant":
                self._skips_nothing = line["kind"].startswith("grpc")
            elif what == "connected":
                self._connected(line)
                self.reconnects += delivered
                delivered = False
            elif what in self._TAKES:
                self._TAKES[what](self, line)
                delivered = delivered or what == "event"
        if lines and lines[-1]["what"] == "end":
            self._at_end()

    def _says(self, invariant, line, text):
        self._report(invariant, self._who, line.get("session", ""), f"{text}: {line}")

    def _connected(self, line):
        if line["recovered"]:
            self.recovered += 1
            for held in self._held.values():
                held.here = True
                held.fold_t = None  # a cut fold goes on, as of another N
        else:
            self._held = {}

    def _disconnected(self, _line):
        for held in self._held.values():
            held.here = False

    def _subscribe(self, line):
        held = self._held.get(line["session"])
        if held is None or not held.here:
            self._held[line["session"]] = Subscription(line["after"])
        else:
            held.after, held.leaving = line["after"], False

    def _subscribed(self, line):
        held = self._held.get(line["session"])
        if held is None or not held.here:
            self._says("subscribed_only", line, "subscribed, but nobody asked")
            return
        asked = held.after
        if asked is None:
            if not held.open:
                held.fold = line["sequence"] == 0 and line["epoch"] != ""
                held.fold_t = None
            elif line["epoch"] == held.epoch and line["sequence"] < held.sequence:
                self._says("position_kept", line, f"it was held, at {held.sequence}")
        else:
            held.fold = False
            same_epoch = asked["epoch"] in ("", line["epoch"])
            kept = line["sequence"] == asked["sequence"] and same_epoch
            held.voided = None if kept else line
            if not kept and not (self._may_lose and line["sequence"] == 0):
                self._says("position_kept", line, f"asked for {asked}")
        held.open = True
        held.epoch, held.sequence = line["epoch"], line["sequence"]

    def _resync(self, line):
        held = self._held.get(line["session"])
        if held is None or not held.here:
            self._says("subscribed_only", line, "resync, but nobody asked")
            return
        if not self._may_lose:
            self._says("one_epoch", line, "resync, though nothing may be lost")
        held.voided = None
        held.open, held.fold, held.fold_t = True, line["sequence"] == 0, None
        held.epoch, held.sequence = line["epoch"], line["sequence"]

    def _unsubscribe(self, line):
        if line["session"] in self._held:
            self._held[line["session"]].leaving = True

    def _unsubscribed(self, line):
        held = self._held.get(line["session"])
        if held is not None and held.leaving:
            del self._held[line["session"]]

    def _ended(self, line):
        held = self._held.get(line["session"])
        if held is not None:
            held.stream_ended = True

    def _event(self, line):
        self.deliveries += 1
        held = self._held.get(line["session"])
        if held is None or not held.open or not held.here:
            self._says("subscribed_only", line, "an event of a session that is not subscribed")
            return
        if line["epoch"] != held.epoch:
            if held.sequence != 0 or held.epoch != "":
                self._says("one_epoch", line, f"another epoch than {held.epoch} without resync")
                held.sequence = line["sequence"] - 1 - line["skipped"]
            held.epoch = line["epoch"]
        if held.voided is not None:
            self._says("position_kept", line, f"no resync, after {held.voided}")
            held.voided = None
        if held.fold and held.fold_t is None:
            held.fold_t = line["t"]
        if line["sequence"] <= held.sequence:
            self._says("increasing", line, f"the position was {held.sequence}")
        elif line["sequence"] != held.sequence + 1 + line["skipped"]:
            self._says("no_hole", line, f"the position was {held.sequence}")
        elif line["skipped"] and self._skips_nothing:
            self._says("no_hole", line, "StreamSession skips nothing")
        else:
            self._check_skipped(held, line)
        held.sequence = line["sequence"]
        if held.fold and not self._known.called_before(Event.of_record(line), held.fold_t):
            held.fold, held.fold_t = False, None  # it is behind N: so is what follows

    def _check_skipped(self, held, line):
        for sequence in range(held.sequence + 1, line["sequence"]):
            skipped = self._known.places.get((line["session"], line["epoch"], sequence))
            if skipped is not None and not self._may_be_skipped(skipped, held, line["t"]):
                self._says(
                    "must_delivered", line, f"skipped {sequence} ({skipped.kind} {skipped.status})"
                )

    def _may_be_skipped(self, event, held, t):
        superseder = self._known.superseder(event)
        if superseder is not None and self._known.called_before(superseder, t):
            return True
        if not held.fold or not self._known.called_before(event, held.fold_t):
            return False
        if fold_key(event.kind, event.of, event.status) is None:
            return True
        superseder = self._known.fold_superseder(event)
        return superseder is not None and self._known.called_before(superseder, t)

    def _at_end(self):
        for session, held in self._held.items():
            final = self._history.final.get(session)
            if final is None or held.leaving:
                continue
            at = f"at ({held.epoch!r}, {held.sequence}) of ({final.epoch!r}, {final.top})"
            if not held.open or not held.here:
                state = "not subscribed" if held.here else "not connected"
                self._report("top_reached", self._who, session, f"{state} at the end, {at}")
            elif not self._is_at_top(held, session, final):
                self._report("top_reached", self._who, session, at)
            elif held.stream_ended and not self._is_over(final):
                self._report("top_reached", self._who, session, f"ended before its end, {at}")

    def _is_at_top(self, held, session, final):
        """At the top, or at the end of a fold that keeps nothing of what lies above."""
        if held.epoch != final.epoch or held.sequence > final.top:
            return False
        above = range(held.sequence + 1, final.top + 1)
        events = [self._known.places.get((session, final.epoch, number)) for number in above]
        if held.fold_t is None:
            return not events
        return all(event and self._may_be_skipped(event, held, held.fold_t) for event in events)

    @staticmethod
    def _is_over(final):
        last = final.events[-1] if final.events else None
        return last is not None and delivery(last.kind, last.status) == "TERMINAL"

    _TAKES = {
        "disconnected": _disconnected,
        "subscribe": _subscribe,
        "subscribed": _subscribed,
        "resync": _resync,
        "unsubscribe": _unsubscribe,
        "unsubscribed": _unsubscribed,
        "ended": _ended,
        "event": _event,
    }


def seen_events(lines):
    return [Event.of_record(line) for line in lines if line["what"] == "event"]
