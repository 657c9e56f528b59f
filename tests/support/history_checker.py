#!/usr/bin/env python3
"""history_checker.py DIRECTORY: whether the promises held in the histories of a run (tests/support/HISTORY.md).

Prints each violation and a verdict. Exit code: 0 passed, 1 violated, 3 inconclusive (the run proved nothing).
"""

import argparse
import collections
import dataclasses
import sys

import history as histories
from history import WRITTEN_BY_CONTROL, fold_key
from history_reader import KnownEvents, ReaderRules, seen_events

PASSED, VIOLATED, INCONCLUSIVE = "passed", "violated", "inconclusive"
EXIT_CODES = {PASSED: 0, VIOLATED: 1, INCONCLUSIVE: 3}
SHOWN_MAX = 20


@dataclasses.dataclass
class Violation:
    """One broken promise: which, who saw it, in which session."""

    invariant: str
    who: str
    session: str
    text: str

    def __str__(self):
        return f"{self.invariant}: {self.who} {self.session}: {self.text}"


@dataclasses.dataclass
class Verdict:
    """What the checker found."""

    violations: list
    doubts: list  # why the run proves nothing
    figures: dict

    @property
    def word(self):
        if self.violations:
            return VIOLATED
        return INCONCLUSIVE if self.doubts else PASSED


class Checker:
    """Holds a history to the invariants, one method each."""

    def __init__(self, history):
        self._history = history
        self._known = KnownEvents(history)
        self._violations = []

    def check(self):
        self._collect_places()
        self._check_final_logs()
        self._check_acknowledged()
        self._check_acknowledged_once()
        self._check_keys()
        self._check_failures()
        self._check_real_time_order()
        self._check_streams()
        self._check_epochs()
        self._check_times()
        rules = ReaderRules(self._history, self._known, self._report)
        for who, lines in self._history.observers.items():
            rules.follow(who, lines)
        figures = self._figures(rules)
        return Verdict(self._violations, self._doubts(figures), figures)

    def _report(self, invariant, who, session, text):
        self._violations.append(Violation(invariant, who, session, text))

    # one_payload, published, seen_kept
    def _collect_places(self):
        for log in self._history.final.values():
            for event in log.events:
                self._take("final", event)
        for who, lines in self._history.observers.items():
            for event in seen_events(lines):
                if self._take(who, event):
                    self._check_kept(who, event)

    def _take(self, who, event):
        """Whether this place was not known before."""
        known = self._known.add(event)
        if known is None:
            if (event.kind, event.status) not in WRITTEN_BY_CONTROL and (
                event.session,
                event.hash,
            ) not in self._known.called:
                self._report("published", who, event.session, f"nobody published {event}")
            return True
        if (known.hash, known.time) != (event.hash, event.time):
            self._report("one_payload", who, event.session, f"{known} and {event}")
        return False

    def _check_kept(self, who, event):
        log = self._history.final.get(event.session)
        if log is not None and log.epoch == event.epoch and event.sequence >= log.first:
            self._report("seen_kept", who, event.session, f"not in the final log: {event}")

    # dense, fold_true
    def _check_final_logs(self):
        for session, log in self._history.final.items():
            if log.first != 1 and not self._history.allows("trimmed") and log.top > 0:
                self._report("dense", "final", session, f"begins with {log.first}")
            expected = list(range(log.first, log.top + 1)) if log.top else []
            found = [event.sequence for event in log.events]
            if found != expected or any(event.epoch != log.epoch for event in log.events):
                self._report("dense", "final", session, f"{log.first}..{log.top}: {found[-20:]}")
            self._check_snapshot(session, log)

    def _check_snapshot(self, session, log):
        if log.snapshot is None or log.first != 1:
            return
        fold = {}
        for event in log.events:
            key = fold_key(event.kind, event.of, event.status)
            if key is not None:
                fold[key] = event.sequence
        place = (log.snapshot["epoch"], log.snapshot["sequence"])
        if place != (log.epoch, log.top) or log.snapshot["events"] != sorted(fold.values()):
            text = f"{log.snapshot}, not {sorted(fold.values())} of {log.top}"
            self._report("fold_true", "final", session, text)

    # acked_kept
    def _check_acknowledged(self):
        for call in self._history.calls:
            if call.result != "acked":
                continue
            log = self._history.final.get(call.session)
            if log is None:
                self._report("acked_kept", call.who, call.session, "the session was not read")
            elif call.epoch != log.epoch:
                if not self._history.allows("new_epoch"):
                    self._report("acked_kept", call.who, call.session, f"the epoch is gone: {call}")
            elif call.sequence >= log.first:
                event = self._known.places.get((call.session, call.epoch, call.sequence))
                if event is None or event.hash != call.hash or call.sequence > log.top:
                    self._report("acked_kept", call.who, call.session, f"{call}, but {event}")

    # one_payload, also in epochs that are gone: what was lost there in silence was given to another
    def _check_acknowledged_once(self):
        holders = {}
        for call in self._history.calls:
            if call.result != "acked":
                continue
            at = (call.session, call.epoch, call.sequence)
            event = self._known.places.get(at)
            first = holders.setdefault(at, call)
            if first.hash != call.hash:
                text = f"acknowledged for two events: {first} and {call}"
                self._report("one_payload", call.who, call.session, text)
            elif event is not None and event.hash != call.hash:
                text = f"acknowledged: {call}, but seen: {event}"
                self._report("one_payload", call.who, call.session, text)

    # key_once
    def _check_keys(self):
        by_key = collections.defaultdict(list)
        for call in self._history.calls:
            if call.result == "acked" or call.result == "unknown":
                by_key[(call.session, call.key)].append(call)
        for (session, key), calls in by_key.items():
            places = {(call.epoch, call.sequence) for call in calls if call.result == "acked"}
            epochs = [epoch for epoch, _ in places]
            firsts = [call for call in calls if call.result == "acked" and not call.duplicate]
            if len(set(epochs)) != len(epochs):
                self._report("key_once", calls[0].who, session, f"{key} is at {sorted(places)}")
            elif len(firsts) > len(set(epochs)):
                self._report("key_once", calls[0].who, session, f"{key} was new {len(firsts)} ×")
            elif calls[0].duplicate:
                self._report("key_once", calls[0].who, session, f"{key}: duplicate of nothing")
        counts = collections.Counter(
            (event.session, event.epoch, event.hash)
            for log in self._history.final.values()
            for event in log.events
            if (event.kind, event.status) not in WRITTEN_BY_CONTROL
        )
        for (session, epoch, payload), count in counts.items():
            if count > 1:
                text = f"one key's event {payload} is {count} × in {epoch}"
                self._report("key_once", "final", session, text)

    # failure_absent
    def _check_failures(self):
        results = collections.defaultdict(set)
        for call in self._history.calls:
            results[(call.session, call.hash)].add(call.result)
        for event in self._known.places.values():
            if results.get((event.session, event.hash)) == {"failed"}:
                self._report("failure_absent", "", event.session, f"refused, but there: {event}")

    # real_time_order
    def _check_real_time_order(self):
        spans = {}  # by place: [first call, first acknowledgement]
        first_calls = {}
        for call in self._history.calls:
            first_calls.setdefault((call.session, call.key), call.t)
        for call in self._history.calls:
            if call.result == "acked":
                start = first_calls[(call.session, call.key)]
                span = spans.setdefault(
                    (call.session, call.epoch, call.sequence), [start, call.outcome_t, call]
                )
                span[0], span[1] = min(span[0], start), min(span[1], call.outcome_t)
        earliest = {}  # by session and epoch, over all higher sequences: (acknowledgement, call)
        for place in sorted(spans, reverse=True):
            start, acked, call = spans[place]
            above = earliest.get(place[:2])
            if above is not None and above[0] < start:
                text = f"called after {above[1].key} (at {above[1].sequence}) was acknowledged: "
                self._report("real_time_order", call.who, call.session, f"{text}{call}")
            if above is None or acked < above[0]:
                earliest[place[:2]] = (acked, call)

    # stream_order
    def _check_streams(self):
        last = {}  # by publisher, stream, session: the call before
        for call in self._history.calls:
            if call.stream is None:
                continue
            at = (call.who, call.stream, call.session)
            before = last.get(at)
            if call.result == "acked" and not call.duplicate and before is not None:
                if before.result == "unknown" and before.outcome_t is not None:
                    text = f"accepted behind {before.key}, whose outcome was unknown: {call}"
                    self._report("stream_order", call.who, call.session, text)
                elif before.epoch == call.epoch and before.sequence >= call.sequence:
                    text = f"not above {before.key} (at {before.sequence}): {call}"
                    self._report("stream_order", call.who, call.session, text)
            unknown_stays = before is not None and before.result == "unknown"
            if call.result == "unknown" or (
                call.result == "acked" and not call.duplicate and not unknown_stays
            ):
                last[at] = call

    # one_epoch; the observers' part is in ReaderRules
    def _check_epochs(self):
        if self._history.allows("new_epoch"):
            return
        epochs = collections.defaultdict(set)
        for session, epoch, _ in self._known.places:
            epochs[session].add(epoch)
        for call in self._history.calls:
            if call.result == "acked":
                epochs[call.session].add(call.epoch)
        for session, found in epochs.items():
            if len(found) > 1:
                self._report("one_epoch", "", session, f"epochs {sorted(found)}")

    # time_order
    def _check_times(self):
        before = {}
        for place in sorted(self._known.places):
            event = self._known.places[place]
            earlier = before.get(place[:2])
            if earlier is not None and event.time < earlier.time:
                self._report("time_order", "", event.session, f"{earlier}, then {event}")
            before[place[:2]] = event

    def _figures(self, rules):
        acked = {
            (call.session, call.epoch, call.sequence)
            for call in self._history.calls
            if call.result == "acked"
        }
        return {
            "events": len(acked),
            "deliveries": rules.deliveries,
            "hits": len(self._history.hits),
            "reconnects": rules.reconnects,
            "recovered": rules.recovered,
            "unknown": sum(call.result == "unknown" for call in self._history.calls),
        }

    def _doubts(self, figures):
        doubts = [
            f"{figures[name]} {name}, at least {least} prove something"
            for name, least in self._history.run["needs"].items()
            if figures[name] < least
        ]
        if not self._history.run["participants"]:
            doubts.append("no runner said who took part")
        doubts += [
            f"{who} saw no event"
            for who, lines in self._history.observers.items()
            if not any(line["what"] == "event" for line in lines)
        ]
        doubts += [
            f"the history of {who} is not whole"
            for who in self._history.run["participants"]
            if not self._history.ended(who)
        ]
        return doubts


def check(history):
    return Checker(history).check()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory")
    verdict = check(histories.read(parser.parse_args().directory))
    for violation in verdict.violations[:SHOWN_MAX]:
        print(violation)
    if len(verdict.violations) > SHOWN_MAX:
        print(f"... {len(verdict.violations)} violations")
    for doubt in verdict.doubts:
        print(f"inconclusive: {doubt}")
    print(verdict.word, verdict.figures)
    return EXIT_CODES[verdict.word]


if __name__ == "__main__":
    sys.exit(main())
