"""The history checker passes good histories and finds each mutation of them, by the invariant that it breaks."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import history
import history_checker
import history_model
from history_mutations_of_observers import MUTATIONS, NotApplicable

GOOD_SEEDS = 60
SEEDS_A_MUTATION = 5
SEEDS_TRIED_MAX = 100


def verdict_of(records):
    return history_checker.check(history.History(records))


def invariants(verdict):
    return {violation.invariant for violation in verdict.violations}


class GoodHistories(unittest.TestCase):

    def test_pass(self):
        for seed in range(GOOD_SEEDS):
            verdict = verdict_of(history_model.records(seed))
            self.assertEqual(verdict.word, history_checker.PASSED, (seed, verdict))

    def test_have_what_the_invariants_are_about(self):
        figures = [verdict_of(history_model.records(seed)).figures for seed in range(5)]
        for name in ("events", "deliveries", "hits", "reconnects", "recovered", "unknown"):
            self.assertTrue(all(figure[name] > 0 for figure in figures), (name, figures))


class Mutations(unittest.TestCase):
    """One test a mutation: test_the_..., made below."""

    def check(self, invariant, mutate):
        found = 0
        for seed in range(SEEDS_TRIED_MAX):
            records = history_model.records(seed)
            try:
                mutate(records, seed)
            except NotApplicable:
                continue
            verdict = verdict_of(records)
            self.assertEqual(verdict.word, history_checker.VIOLATED, f"seed {seed}: not found")
            self.assertIn(invariant, invariants(verdict), f"seed {seed}: {verdict.violations[:3]}")
            found += 1
            if found == SEEDS_A_MUTATION:
                return
        self.fail(f"applied {found} times only")


for name, (invariant, mutate) in MUTATIONS.items():

    def test(self, invariant=invariant, mutate=mutate):
        self.check(invariant, mutate)

    setattr(Mutations, f"test_{name}_breaks_{invariant}", test)


class Inconclusive(unittest.TestCase):

    def doubts_after(self, change):
        records = history_model.records(1)
        change(records)
        verdict = verdict_of(records)
        self.assertEqual(verdict.word, history_checker.INCONCLUSIVE, verdict.violations[:3])
        return " ".join(verdict.doubts)

    def test_a_fault_that_did_not_hit(self):
        def change(records):
            records["runner"] = [line for line in records["runner"] if line["what"] != "hit"]

        self.assertIn("0 hits", self.doubts_after(change))

    def test_too_few_events(self):
        def change(records):
            for line in records["runner"]:
                line.get("needs", {})["events"] = 10_000

        self.assertIn("10000 prove something", self.doubts_after(change))

    def test_a_participant_whose_file_is_missing(self):
        self.assertIn(
            "observer-1 is not whole", self.doubts_after(lambda records: records.pop("observer-1"))
        )

    def test_a_participant_whose_file_was_cut(self):
        self.assertIn(
            "observer-1 is not whole",
            self.doubts_after(lambda records: records["observer-1"].pop()),
        )

    def test_an_observer_that_saw_nothing(self):
        def change(records):
            records["observer-2"] = [records["observer-2"][0], records["observer-2"][-1]]

        self.assertIn("observer-2 saw no event", self.doubts_after(change))

    def test_nobody_said_who_took_part(self):
        self.assertIn("no runner", self.doubts_after(lambda records: records.pop("runner")))


class AllowedLoss(unittest.TestCase):
    """A session s9 whose only event is lost with its epoch, and that goes on with another one."""

    def setUp(self):
        self.records = history_model.records(2)
        for line in self.records["runner"]:
            if line["what"] == "run":
                line["allows"] = ["new_epoch"]
        self.t = self.records["runner"][-1]["t"]
        self.new = {"session": "s9", "epoch": "after", "sequence": 1, "time": 5, "kind": "custom"}
        self.new |= {"of": "token", "status": "", "hash": "new"}
        self.lost = {**self.new, "epoch": "before", "hash": "lost"}
        self.place = {"session": "s9", "epoch": "before", "sequence": 0}
        self.add_acked(9001, self.lost)
        self.add_acked(9002, self.new)
        self.add("observer-0", "subscribe", {"session": "s9", "after": {"epoch": "", "sequence": 0}})
        self.add("observer-0", "subscribed", self.place)
        self.add("observer-0", "event", {**self.lost, "skipped": 0})
        self.asked = self.add("observer-0", "subscribe", {"session": "s9", "after": self.lost})
        self.answer = self.add("observer-0", "subscribed", {**self.place, "epoch": "after"})
        self.resync = self.add("observer-0", "resync", {**self.place, "epoch": "after"})
        self.add("observer-0", "event", {**self.new, "skipped": 0})
        self.add("final", "final", self.new)
        top = {**self.place, "epoch": "after", "sequence": 1, "first": 1}
        self.add("final", "final_top", top)

    def add(self, name, what, fields):
        self.records[name].insert(-1, {"t": self.t, "what": what, **fields})
        return self.records[name][-2]

    def add_acked(self, number, event):
        self.add("publisher-0", "call", {**event, "call": number, "key": event["hash"]})
        acked = {"epoch": event["epoch"], "sequence": event["sequence"], "duplicate": False}
        self.add("publisher-0", "outcome", {"call": number, "result": "acked", **acked})

    def test_is_no_violation_where_the_fault_allows_it_and_resync_told_it(self):
        verdict = verdict_of(self.records)
        self.assertEqual(verdict.word, history_checker.PASSED, verdict)
        for line in (self.asked, self.answer):
            self.records["observer-0"].remove(line)
        verdict = verdict_of(self.records)
        self.assertEqual(verdict.word, history_checker.PASSED, verdict)

    def test_is_found_where_no_resync_told_it(self):
        self.records["observer-0"].remove(self.resync)
        self.assertIn("position_kept", invariants(verdict_of(self.records)))
        for line in (self.asked, self.answer):
            self.records["observer-0"].remove(line)
        self.assertIn("one_epoch", invariants(verdict_of(self.records)))

    def test_is_found_where_the_answer_names_a_position_that_was_not_asked_for(self):
        self.answer["sequence"] = self.resync["sequence"] = 1
        self.assertIn("position_kept", invariants(verdict_of(self.records)))

    def test_is_found_where_another_event_was_acknowledged_at_a_lost_position(self):
        self.add_acked(9003, {**self.lost, "hash": "another"})
        self.assertIn("one_payload", invariants(verdict_of(self.records)))

    def test_is_found_where_an_acknowledged_event_is_gone_and_its_epoch_stays(self):
        self.add_acked(9003, {**self.new, "sequence": 2, "hash": "gone"})
        self.assertIn("acked_kept", invariants(verdict_of(self.records)))


class Command(unittest.TestCase):

    def run_on(self, records):
        with tempfile.TemporaryDirectory() as directory:
            history.write(directory, records)
            checker = pathlib.Path(__file__).with_name("history_checker.py")
            return subprocess.run(
                [sys.executable, checker, directory], check=False, capture_output=True, text=True
            )

    def test_says_and_exits_as_it_found(self):
        records = history_model.records(3)
        passed = self.run_on(records)
        self.assertEqual((passed.returncode, passed.stdout.split()[0]), (0, "passed"))
        hits = [line for line in records["runner"] if line["what"] == "hit"]
        for hit in hits:
            records["runner"].remove(hit)
        self.assertEqual(self.run_on(records).returncode, 3)
        del records["final"][3]
        violated = self.run_on(records)
        self.assertEqual(violated.returncode, 1)
        self.assertIn("dense: final", violated.stdout)

    def test_a_torn_last_line_is_an_unfinished_file(self):
        with tempfile.TemporaryDirectory() as directory:
            history.write(directory, history_model.records(4))
            path = pathlib.Path(directory, "observer-2.jsonl")
            path.write_text(path.read_text(encoding="utf-8")[:-10], encoding="utf-8")
            verdict = history_checker.check(history.read(directory))
            self.assertIn("the history of observer-2 is not whole", verdict.doubts)
            self.assertEqual(json.loads(path.read_text().splitlines()[0])["what"], "participant")


if __name__ == "__main__":
    unittest.main()
