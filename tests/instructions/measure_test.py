#!/usr/bin/env python3
"""The verdict of measure.py."""

import unittest

import measure


class JudgeTest(unittest.TestCase):
    def test_passes_within_ten_percent(self):
        for measured in (901, 1_000, 1_099):
            self.assertTrue(measure.judge("wide", measured, 1_000)[0], measured)

    def test_fails_beyond_and_says_how_to_record_and_where_the_profile_is(self):
        passed, text = measure.judge("wide", 1_101, 1_000)
        self.assertFalse(passed)
        self.assertIn("+10.1 %", text)
        self.assertIn("measure.py --record", text)
        self.assertIn("build/instructions/callgrind.wide.out", text)

    def test_fails_below_since_the_figure_has_to_follow(self):
        passed, text = measure.judge("edge", 899, 1_000)
        self.assertFalse(passed)
        self.assertIn("-10.1 %", text)

    def test_says_aloud_that_nothing_is_compared(self):
        passed, text = measure.judge("edge", 899, None)
        self.assertTrue(passed)
        self.assertIn("NOT COMPARED", text)

    def test_there_is_a_figure_for_each_workload_of_each_compiler(self):
        recorded = measure.json.loads(measure.RECORDED.read_text())
        self.assertIn("GNU 12.2.0 x86_64", recorded)
        for compiler, figures in recorded.items():
            self.assertEqual(sorted(figures), sorted(measure.WORKLOADS), compiler)


if __name__ == "__main__":
    unittest.main()
