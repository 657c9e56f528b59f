"""What tools/chaos says of an overload."""

import asyncio
import sys
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True

import load  # noqa: E402
from faults_of_load import Overload  # noqa: E402

CAPACITY = 1_000
AS_PROMISED = {
    "offered_a_second": 3_000,
    "acknowledged_a_second": 800,
    "refused": 6_600,
    "refused_with_hint": 6_600,
    "failed": 0,
    "late_us": {"p99": 10_000},
    "latency_us": {"p99": 90_000},
    "refusal_latency_us": {"p50": 1_000, "p99": 50_000, "max": 70_000},
}


class Judgement(unittest.TestCase):

    def strike(self, **other):
        """(what was wrong, whether it hit)"""
        answers = {"publish": {"events_a_second": CAPACITY}, "offer": {**AS_PROMISED, **other}}

        async def publish(stage, command, **flags):
            del stage, flags
            return answers[command]

        hits = []
        options = types.SimpleNamespace(say=lambda text: None)
        stage = types.SimpleNamespace(options=options, hit=hits.append, wrong=[])
        with mock.patch.object(load, "publish", publish):
            asyncio.run(Overload().strike(stage))
        return stage.wrong, bool(hits)

    def assert_wrong(self, words, **other):
        wrong, hit = self.strike(**other)
        self.assertEqual(len(wrong), 1)
        self.assertIn(words, wrong[0])
        self.assertTrue(hit)

    def test_80_percent_and_refusals_within_50_ms_are_as_promised(self):
        self.assertEqual(self.strike(), ([], True))

    def test_less_is_wrong(self):
        self.assert_wrong("less than 80%", acknowledged_a_second=799)

    def test_refusals_that_come_late_are_wrong(self):
        late = {"p50": 1_000, "p99": 51_000, "max": 70_000}
        self.assert_wrong("more than 50 ms", refusal_latency_us=late)

    def test_refusals_without_a_hint_are_wrong(self):
        self.assert_wrong("when to try again", refused_with_hint=6_599)

    def test_other_failures_are_wrong(self):
        self.assert_wrong("failed otherwise", failed=1)

    def test_a_queue_that_takes_everything_is_wrong(self):
        self.assert_wrong("nothing was refused", refused=0, refused_with_hint=0)

    def test_what_could_not_be_offered_says_nothing(self):
        self.assertEqual(self.strike(offered_a_second=2_800, refused=0), ([], False))
        self.assertEqual(self.strike(late_us={"p99": 11_000}, refused=0), ([], False))


if __name__ == "__main__":
    unittest.main()
