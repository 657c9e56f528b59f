"""What tools/chaos says of publishers' acknowledgements during a storm."""

import asyncio
import sys
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True

import run  # noqa: E402, F401: where the checker is found
from faults_of_crowds import Storm  # noqa: E402
import history as histories  # noqa: E402
import load  # noqa: E402

SECOND = 1_000_000_000
MS = 1_000_000
BEFORE, DURING = 10 * SECOND, 20 * SECOND


def calls(start, count, milliseconds, result="acked"):
    """Lines of a publisher that calls every millisecond."""
    for i in range(count):
        number, t = start + i, start + i * MS
        what = {"call": number, "session": "s", "key": str(number), "kind": "custom", "of": ""}
        yield {"t": t, "what": "call", **what, "status": "", "hash": str(number)}
        yield {"t": t + milliseconds * MS, "what": "outcome", "call": number, "result": result}


class Judgement(unittest.TestCase):

    def judge(self, *lines):
        storm = Storm()
        storm.calm = [(BEFORE, BEFORE + SECOND)]
        storm.storms = [(DURING, DURING + SECOND)]
        records = [{"what": "participant", "role": "publisher"}]
        records += [line for some in lines for line in some]
        stage = types.SimpleNamespace(options=types.SimpleNamespace(say=lambda text: None))
        return storm.judge(stage, histories.History({"publisher": records}))

    def test_five_times_as_slow_is_as_promised(self):
        self.assertEqual(self.judge(calls(BEFORE, 300, 30), calls(DURING, 300, 150)), [])

    def test_more_than_five_times_as_slow_is_wrong(self):
        self.assertIn(
            "not 150.0 ms", self.judge(calls(BEFORE, 300, 30), calls(DURING, 300, 151))[0]
        )

    def test_one_in_fifty_that_is_slow_is_wrong(self):
        slow = calls(DURING + SECOND // 2, 6, 900)
        self.assertEqual(len(self.judge(calls(BEFORE, 300, 5), calls(DURING, 294, 5), slow)), 1)

    def test_below_the_floor_a_ratio_says_nothing(self):
        self.assertEqual(self.judge(calls(BEFORE, 300, 1), calls(DURING, 300, 20)), [])
        self.assertEqual(len(self.judge(calls(BEFORE, 300, 1), calls(DURING, 300, 21))), 1)

    def test_what_was_called_at_another_time_does_not_count(self):
        other = calls(DURING + 2 * SECOND, 300, 900)
        self.assertEqual(self.judge(calls(BEFORE, 300, 5), calls(DURING, 300, 5), other), [])

    def test_an_acknowledgement_that_never_came_counts_as_long_as_it_was_waited_for(self):
        unknown = calls(DURING + SECOND // 2, 6, 3_000, "unknown")
        answers = self.judge(calls(BEFORE, 300, 5), calls(DURING, 294, 5), unknown)
        self.assertEqual(len(answers), 1)

    def test_a_refusal_is_not_taken_for_a_fast_acknowledgement(self):
        failed = calls(DURING, 300, 1, "failed")
        self.assertIn("0 during", self.judge(calls(BEFORE, 300, 5), failed)[0])


def offered(p99_ms, late_ms=1, count=800, acknowledged=None):
    """As bench_load says it."""
    answered = {"offered": count, "acknowledged": count if acknowledged is None else acknowledged}
    return {**answered, "latency_us": {"p99": p99_ms * 1e3}, "late_us": {"p99": late_ms * 1e3}}


class JudgementOfAFixedRate(unittest.TestCase):

    def storms(self, *answers, proved="they were back"):
        """(what was wrong, how many hits, what was said), of strikes until bench_load has no more answers."""
        answers = list(answers)

        async def publish(stage, command, **flags):
            del stage, flags
            self.assertEqual(command, "offer")
            return answers.pop(0)

        async def kill(self, stage):
            del self, stage
            return proved

        said, hits = [], []
        options = types.SimpleNamespace(say=said.append)
        stage = types.SimpleNamespace(options=options, hit=hits.append)
        storm = Storm()
        storm.calm, storm.storms = [(BEFORE, BEFORE + SECOND)], [(DURING, DURING + SECOND)]
        with mock.patch.object(load, "publish", publish):
            with mock.patch.object(Storm, "_kill_and_see_them_back", kill):
                while answers:
                    asyncio.run(storm.strike(stage))
        lines = [*calls(BEFORE, 300, 1), *calls(DURING, 300, 1)]
        records = [{"what": "participant", "role": "publisher"}, *lines]
        wrong = storm.judge(stage, histories.History({"publisher": records}))
        return wrong, len(hits), "\n".join(said)

    def test_five_times_as_slow_is_as_promised(self):
        wrong, hits, said = self.storms(offered(30), offered(150), offered(30), offered(40))
        self.assertEqual((wrong, hits), ([], 2))
        self.assertIn("at 200/s, p99 before and during each storm: 30.0 to 150.0, 30.0 to 40.0 ms", said)

    def test_more_than_five_times_as_slow_is_wrong(self):
        wrong, hits, _ = self.storms(offered(30), offered(151))
        self.assertEqual((len(wrong), hits), (1, 1))
        self.assertIn("p99 151.0 ms (median), not 150.0 ms", wrong[0])

    def test_one_storm_of_many_does_not_decide(self):
        good, bad = (offered(30), offered(40)), (offered(30), offered(900))
        self.assertEqual(self.storms(*good, *bad, *good)[0], [])
        self.assertEqual(len(self.storms(*bad, *bad, *good)[0]), 1)

    def test_below_the_floor_a_ratio_says_nothing(self):
        self.assertEqual(self.storms(offered(1), offered(20))[0], [])
        self.assertEqual(len(self.storms(offered(1), offered(21))[0]), 1)

    def test_what_was_not_acknowledged_is_wrong(self):
        self.assertEqual(self.storms(offered(1), offered(1, acknowledged=792))[0], [])
        wrong, _, _ = self.storms(offered(1), offered(1, acknowledged=791))
        self.assertIn("only 791 of 800", wrong[0])

    def test_a_load_that_was_late_itself_says_nothing(self):
        late = offered(1), offered(900, late_ms=21)
        wrong, hits, said = self.storms(*late, offered(1), offered(2))
        self.assertEqual((wrong, hits), ([], 1))
        self.assertIn("no hit: offered 21.0 ms late (p99): they were back", said)
        self.assertEqual(self.storms(offered(1, late_ms=21), offered(900))[:2], ([], 0))
        self.assertEqual(len(self.storms(offered(1), offered(900, late_ms=20))[0]), 1)

    def test_a_strike_that_proved_nothing_is_no_hit(self):
        self.assertEqual(self.storms(offered(1), offered(900), proved=None)[:2], ([], 0))


if __name__ == "__main__":
    unittest.main()
