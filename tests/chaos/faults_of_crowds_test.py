"""What tools/chaos says of publishers' acknowledgements during a storm."""

import sys
import types
import unittest

sys.dont_write_bytecode = True

import run  # noqa: E402, F401: where the checker is found
from faults_of_crowds import Storm  # noqa: E402
import history as histories  # noqa: E402

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


if __name__ == "__main__":
    unittest.main()
