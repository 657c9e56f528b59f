"""The pure parts of bench/run: medians, the search for saturation, what is met and what missed, the table, the counting."""

import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench/runner"))

import main  # noqa: E402
import quiet_shapes  # noqa: E402
import saturation  # noqa: E402
import storm  # noqa: E402
import table  # noqa: E402
import targets  # noqa: E402
from fanout_shapes import with_verdict  # noqa: E402
from figures import Results, Spread, at  # noqa: E402
from jitter import merged  # noqa: E402
from progress import Progress  # noqa: E402
from servers import DAEMONS, FLOOR, NODE, SERVE  # noqa: E402


def fanout(deliveries=100, expected=100, p99=1_000, cpu=5.0, **more):
    latency = {"p50": p99 / 2, "p99": p99}
    measured = {"deliveries": deliveries, "expected": expected, "latency_us": latency}
    return {**measured, "cpu_us_a_delivery": cpu, "gaps": 0, "duplicates": 0, **more}


class FiguresTest(unittest.TestCase):

    def test_a_spread_is_median_least_and_most(self):
        self.assertEqual(Spread.of([5, 1, 9]), Spread(5, 1, 9, 3))
        self.assertEqual(Spread.of([2, 4]).median, 3)
        self.assertIsNone(Spread.of([]))

    def test_a_figure_is_found_by_its_path(self):
        self.assertEqual(at({"a": {"b": 0}}, "a.b"), 0)
        self.assertIsNone(at({"a": {"b": 0}}, "a.c"))
        self.assertIsNone(at({"a": 1}, "a.b"))

    def test_rounds_without_the_figure_do_not_count(self):
        results = Results()
        for value in (3, None, 5):
            results.add(("wide", "x", NODE), {"cpu": value})
        self.assertEqual(results.spread("wide", "x", NODE, "cpu"), Spread(4, 3, 5, 2))
        self.assertIsNone(results.median("wide", "x", FLOOR, "cpu"))


class SaturationTest(unittest.TestCase):

    def search(self, capacity, start):
        """Of a server that keeps up to a rate and no further."""
        asked = []

        def measure(rate):
            asked.append(rate)
            return fanout(deliveries=100 if rate <= capacity else 90)

        return saturation.search(measure, start), asked

    def test_it_rises_until_the_server_falls_behind(self):
        found, asked = self.search(200, 100)
        self.assertEqual(asked, [100, 125, 156.25, 195.3125, 244.140625])
        self.assertEqual(found["rate"], 195.3125)

    def test_it_falls_until_the_server_keeps_up(self):
        found, asked = self.search(70, 100)
        self.assertEqual([round(rate) for rate in asked], [100, 80, 64])
        self.assertEqual(round(found["rate"]), 64)

    def test_steps_come_in_the_order_of_their_rates_with_their_verdicts(self):
        found, _ = self.search(70, 100)
        self.assertEqual(
            [(round(rate), kept_up) for rate, _, kept_up in found["steps"]],
            [(64, True), (80, False), (100, False)],
        )

    def test_it_ends_where_there_is_no_limit_and_where_nothing_works(self):
        found, asked = self.search(1e12, 1)
        self.assertEqual(len(asked), saturation.STEPS_MAX)
        self.assertEqual(found["rate"], asked[-1])
        found, asked = self.search(0, 1)
        self.assertEqual((len(asked), found["rate"]), (saturation.STEPS_MAX, 0))

    def test_late_is_behind_and_so_is_little(self):
        self.assertTrue(saturation.keeps_up(fanout(p99=250_000)))
        self.assertFalse(saturation.keeps_up(fanout(p99=250_001)))
        self.assertTrue(saturation.keeps_up(fanout(deliveries=97)))
        self.assertFalse(saturation.keeps_up(fanout(deliveries=96)))
        self.assertFalse(saturation.keeps_up(fanout(deliveries=0, expected=0)))

    def test_cpu_of_a_server_that_falls_behind_is_none(self):
        self.assertEqual(with_verdict(fanout())["cpu_us_a_delivery"], 5.0)
        behind = with_verdict(fanout(deliveries=50))
        self.assertEqual((behind["behind"], behind["cpu_us_a_delivery"]), (1, None))


class TargetsTest(unittest.TestCase):

    def setUp(self):
        self.results = Results()
        self.results.add(("disk", "fdatasync", FLOOR), {"p50": 100, "p99": 1_000})

    def add(self, shape, what, **measured_of):
        for contender, measured in measured_of.items():
            self.results.add((shape, what, contender), measured)

    def verdict(self, beginning):
        """The word and the ratio of the one row whose figure begins like that."""
        [row] = [row for row in targets.rows(self.results) if row.figure.startswith(beginning)]
        return row.cells[-1], row.ratio

    def test_at_the_target_it_is_met_and_above_it_missed(self):
        self.add("tokens", "20,000/s", serve=fanout(cpu=2.5), daemons=fanout(cpu=2.6), node=fanout(cpu=10))
        self.assertEqual(self.verdict("tokens, CPU an event, serve"), ("met", "0.25 × Node"))
        self.assertEqual(self.verdict("tokens, CPU an event, daemons"), ("missed", "0.26 × Node"))

    def test_a_rate_is_held_to_a_multiple(self):
        self.add("wide", "saturation", daemons={"rate": 500}, node={"rate": 100})
        self.assertEqual(self.verdict("wide, saturation"), ("met", "5 × Node"))
        self.results.add(("wide", "saturation", DAEMONS), {"rate": 400})
        self.assertEqual(self.verdict("wide, saturation"), ("missed", "4.5 × Node"))

    def test_latency_may_be_a_part_of_the_peers_and_what_the_disk_takes(self):
        # 1/5 × 5,000 + 1.3 × 1,000
        self.add("narrow", "half of Node's", serve=fanout(p99=2_300), daemons=fanout(p99=2_301), node=fanout(p99=5_000))
        self.assertEqual(self.verdict("narrow at half of Node's saturation, p99, serve")[0], "met")
        self.assertEqual(self.verdict("narrow at half of Node's saturation, p99, daemons")[0], "missed")

    def test_what_was_not_measured_is_said_to_be(self):
        self.add("wide", "20,000/s", daemons=fanout())
        self.assertEqual(self.verdict("wide at 20,000/s"), ("not measured", "–"))

    def test_who_falls_behind_has_missed(self):
        behind = with_verdict(fanout(deliveries=50))
        self.add("tokens", "20,000/s", daemons=behind, node=fanout(cpu=10))
        self.assertEqual(self.verdict("tokens, CPU an event, daemons"), ("missed", "–"))
        self.assertEqual(self.verdict("tokens, CPU an event, serve")[0], "not measured")

    def test_a_shape_that_did_not_run_has_no_row(self):
        self.add("wide", "20,000/s", daemons=fanout(), floor=fanout())
        self.assertFalse([row for row in targets.rows(self.results) if row.figure.startswith("narrow")])

    def test_one_event_skipped_or_one_round_behind_is_seen(self):
        self.add("wide", "20,000/s", daemons=with_verdict(fanout()), serve=with_verdict(fanout()))
        self.assertEqual(self.verdict("at 20,000/s")[0], "met")
        self.results.add(("wide", "20,000/s", SERVE), with_verdict(fanout(gaps=1)))
        self.assertEqual(self.verdict("at 20,000/s")[0], "missed")

    def test_jitter_loses_nothing_in_any_round(self):
        whole = {"delivered_part": 1.0, "duplicates": 0, "out_of_order": 0, "replay_ms": {"p99": 2_400}}
        self.add("jitter", "1,000 clients", daemons=whole)
        self.assertEqual(self.verdict("jitter, part delivered")[0], "met")
        self.assertEqual(self.verdict("jitter, replay p99")[0], "met")
        self.add("jitter", "1,000 clients", daemons={**whole, "delivered_part": 0.9999, "duplicates": 1})
        self.assertEqual(self.verdict("jitter, part delivered")[0], "missed")
        self.assertEqual(self.verdict("jitter, events twice")[0], "missed")

    def test_memory_is_back_within_a_quarter_and_10_mb_of_before(self):
        def levels(after, after_again):
            return {"resident_mb": {"before": 40, "with": 200, "after": after, "after_again": after_again}}

        self.add("idle", "10,000 connections", daemons=levels(60, 50), node=levels(90, 100))
        self.assertEqual(self.verdict("idle, memory after"), ("met", "1.5 × before"))
        [row] = [row for row in targets.rows(self.results) if row.figure.startswith("idle, memory after")]
        self.assertEqual((row.ours, row.peer), ("40 → 60 → 50 MB", "40 → 90 → 100 MB"))
        self.assertIn("= 60 MB", row.target)

    def test_memory_that_a_second_time_leaves_behind_counts(self):
        levels = {"before": 40, "with": 200, "after": 50, "after_again": 61}
        self.add("idle", "10,000 connections", daemons={"resident_mb": levels})
        self.assertEqual(self.verdict("idle, memory after"), ("missed", "1.52 × before"))

    def test_memory_of_one_coming_says_nothing_of_a_second(self):
        measured = {"rss_kib_before": [1], "rss_kib_with": [9], "rss_kib_after": [[1]]}
        mb = quiet_shapes.resident_mb(measured)
        self.add("idle", "10,000 connections", daemons={"resident_mb": mb})
        self.assertEqual(self.verdict("idle, memory after")[0], "not measured")

    def test_what_a_server_weighs_is_all_of_its_processes(self):
        kib = 1e6 / 1024
        after = [[3 * kib, 4 * kib], [5 * kib, 6 * kib]]
        measured = {"rss_kib_before": [1 * kib, 2 * kib], "rss_kib_with": [10 * kib, 20 * kib], "rss_kib_after": after}
        levels = {"before": 3, "with": 30, "after": 7, "after_again": 11}
        self.assertEqual(quiet_shapes.resident_mb(measured), levels)

    def test_growth_is_flat_within_a_fifth(self):
        for what, cpu in (("100 connections", 10), ("1,000 connections", 11), ("1,000 sessions", 12)):
            self.add("grow", what, daemons=fanout(cpu=cpu))
        self.assertEqual(self.verdict("grow, CPU")[0], "met")
        self.add("grow", "18,000 connections", daemons=fanout(cpu=15))
        self.add("grow", "100,000 sessions", daemons=fanout(cpu=12))
        self.assertEqual(self.verdict("grow, CPU")[0], "missed")

    def test_growth_with_a_size_that_fell_behind_is_missed(self):
        self.add("grow", "100 connections", daemons=with_verdict(fanout()))
        self.add("grow", "18,000 connections", daemons=with_verdict(fanout(deliveries=1)))
        self.assertEqual(self.verdict("grow, CPU")[0], "missed")

    def test_an_idle_session_is_what_many_cost_more_than_few(self):
        for what, resident in (("1,000 sessions", 10_000_000), ("100,000 sessions", 10_000_000 + 99_000 * 1_025)):
            self.add("grow", what, daemons=fanout(resident_bytes_of_control=resident))
        self.assertEqual(self.verdict("grow, an idle session")[0], "missed")


class TableTest(unittest.TestCase):

    def test_columns_stand_below_each_other(self):
        rows = [
            table.Row("a", "1", "22", "333", "–", "≤ 1", True),
            table.Row("bbbb", "1", "2", "3", "–", "≤ 10", None),
        ]
        head, first, second = table.text(rows)
        self.assertEqual(first.index("met"), second.index("not measured"))
        self.assertEqual(head.index("target"), first.index("≤"))

    def test_markdown_has_a_cell_a_column(self):
        row = table.Row("a", "1", "2", "3", "4", "5", False)
        for line in table.markdown([row]):
            self.assertEqual(line.count("|"), len(table.HEAD) + 1)
        self.assertEqual(table.markdown([row])[-1], "| a | 1 | 2 | 3 | 4 | 5 | missed |")

    def test_figures_have_the_digits_that_say_something(self):
        shown = [table.number(value) for value in (0, 0.00123, 6.123, 61.23, 612.3, 6_123.4, 1_234_567)]
        self.assertEqual(shown, ["0", "0.0012", "6.12", "61.2", "612", "6,123", "1,234,567"])
        self.assertEqual(table.shown(Spread(6.1, 5.9, 6.3, 3), "µs"), "6.1 (5.9..6.3) µs")
        self.assertEqual(table.shown(None), "–")


class ProgressTest(unittest.TestCase):

    def test_what_is_left_follows_what_was_needed(self):
        now = [0.0]
        said = []
        progress = Progress([10, 10, 20], said.append, lambda: now[0])
        progress.begin("one")
        self.assertIn("1 of 3: one    (about 40 s left)", said[-1])
        now[0] = 20.0  # twice as long as guessed
        progress.end(10, "done")
        progress.begin("two")
        self.assertIn("2 of 3: two    (about 60 s left)", said[-1])


class CountingTest(unittest.TestCase):

    @staticmethod
    def lines(*events):
        return [json.dumps({"t": t, "what": what, "sequence": sequence}) for t, what, sequence in events]

    def test_a_client_that_is_back_with_all(self):
        history = self.lines(
            (1, "subscribed", 0), (2, "event", 1), (3, "event", 2), (50, "subscribed", 2), (60, "event", 3)
        )
        self.assertEqual(storm.read_history(history, killed_ns=10), (40, 0, 0))

    def test_what_a_client_lost_and_saw_twice(self):
        history = self.lines((1, "event", 1), (20, "event", 4), (21, "event", 4))
        self.assertEqual(storm.read_history(history, killed_ns=10), (None, 2, 1))

    def test_processes_of_clients_are_counted_together(self):
        one = {"expected": 100, "lost": 1, "duplicates": 2, "out_of_order": 3, "kills": 4, "recovered": 5}
        found = merged([{**one, "replay_ms": [30, 10]}, {**one, "lost": 0, "replay_ms": [20]}])
        self.assertEqual((found["expected"], found["lost"], found["delivered_part"]), (200, 1, 0.995))
        self.assertEqual((found["replays"], found["replay_ms"]["p50"]), (3, 20))


class PlanTest(unittest.TestCase):

    def test_contenders_come_in_turn_and_each_round_begins_with_the_disk(self):
        options = main.parse(["tokens", "--rounds", "2"])
        contenders = [(task.shape, task.contender) for task in main.plan(options)]
        once = [("disk", FLOOR), *(("tokens", one) for one in (SERVE, DAEMONS, NODE, FLOOR))]
        self.assertEqual(contenders, once * 2)

    def test_some_shapes_do_not_overwrite_the_results_of_all(self):
        self.assertEqual(main.parse([]).to, ROOT / "bench")
        self.assertEqual(main.parse(["wide"]).to, ROOT / "build/bench")

    def test_every_shape_has_targets_and_columns(self):
        self.assertEqual(set(main.SHAPES), set(targets.ROWS))


if __name__ == "__main__":
    unittest.main()
