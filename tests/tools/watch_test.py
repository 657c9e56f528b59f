#!/usr/bin/env python3
"""`sessioncast watch` in a terminal and out of one, at a running `sessioncast serve`. Usage: watch_test.py BIN_DIRECTORY"""

import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

from servers import PATIENCE_S, Serve, completed, custom, model, progress
from terminal import Terminal

BIN = pathlib.Path(sys.argv.pop())

# All that the view may send to the terminal beside text.
SENT = re.compile(
    rb"\x1b\[\?(1049|25|7|2026)[hl]"  # its screen, the cursor, wrapping, a frame
    rb"|\x1b\[2J|\x1b\[H|\x1b\[K|\x1b\[\d+;1H"  # clearing, where a line begins
    rb"|\x1b\[(0|1|2|31|32|36|1;33)m|\r\n"
)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[?1049l\x1b[5;5Hmoved\x7f\x9b31m\r\u202eturned\u0000"


def rows_of(text):
    return text.split("\n")


class WatchTest(unittest.TestCase):
    def setUp(self):
        self.server = Serve(BIN)
        self.addCleanup(self.server.close)
        self.session = "my-session"

    def watch(self, *flags, **terminal):
        command = [self.server.tool, "watch", self.session, f"--control={self.server.control}", *flags]
        started = Terminal(command, **terminal)
        self.addCleanup(started.close)
        return started

    def publish(self, *events):
        self.server.publish(self.session, *events)

    def ask(self, question, clarification_id):
        asking = subprocess.Popen(
            [
                self.server.tool,
                "ask",
                self.session,
                f"--question={question}",
                f"--clarification_id={clarification_id}",
                f"--control={self.server.control}",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )

        def end():
            asking.kill()
            asking.communicate()

        self.addCleanup(end)
        return asking

    def assert_left(self, terminal):
        """The terminal is as it was before."""
        self.assertFalse(terminal.screen.is_alternate)
        self.assertFalse(terminal.screen.cursor.hidden)
        self.assertIn(7 << 5, terminal.screen.mode, "long lines wrap again")
        self.assertEqual(terminal.screen.cursor.attrs.fg, "default")
        self.assertEqual(terminal.modes(), terminal.modes_before)

    def assert_harmless(self, terminal):
        """Nothing else reached it than what the view itself sends."""
        left = SENT.sub(b"", terminal.raw).decode()
        self.assertEqual([c for c in left if ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u202e"], [])

    def test_a_job_from_its_first_event_to_its_end(self):
        view = self.watch(columns=100, rows=30)
        view.wait("● live, waiting for the first event")
        self.assertTrue(view.screen.is_alternate)
        self.assertTrue(view.screen.cursor.hidden)
        self.publish(progress(5), model("llama3.1:8b", "One log"), model("mistral:7b", "Three parts", duration_ms=900))
        view.wait("5 %")
        for text in ("One log for", "One log for each", "One log for each\nsession"):
            self.publish(model("llama3.1:8b", text))
            view.wait(re.compile(rf"llama3\.1:8b +ollama +processing +1\.2 s  {text.split(chr(10))[-1]}$", re.M).search)
        asking = self.ask("Which language?", "c-1")
        command = f"  sessioncast answer --control={self.server.control} {self.session} c-1 'text'"
        view.wait(f"? c-1  Which language?\n{command}\n")
        # What the view says is what answers.
        answer = self.server.run("answer", self.session, "c-1", "English")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        view.wait("✓ c-1  answered  Which language?  → English")
        self.assertEqual(asking.communicate(timeout=PATIENCE_S)[0], "English\n")
        self.publish(
            model("llama3.1:8b", "One log for each session", "COMPLETED", 2_500),
            model("mistral:7b", "", "FAILED", 75_000, error="out of memory"),
            progress(100, "COMPLETED"),
            completed({"pages": 3}),
        )
        self.assertEqual(view.wait_for_end(), 0)
        text = view.text()
        self.assertRegex(text, r"(?m)COMPLETED  ended at #12$")
        self.assertRegex(text, r"(?m)^█{40} 100 %")
        self.assertRegex(text, r"(?m)^llama3\.1:8b +ollama +completed +2\.5 s  One log for each session$")
        self.assertRegex(text, r"(?m)^mistral:7b +ollama +failed +1:15 min  out of memory$")
        self.assertTrue(text.endswith('\n✓ COMPLETED  {"pages":3}'), text)
        self.assert_left(view)
        self.assert_harmless(view)

    def test_control_that_is_killed_and_comes_back(self):
        self.publish(progress(5), custom("token", {"n": 0}))
        view = self.watch(rows=40)
        view.wait("● live, at #2")
        self.server.kill()
        view.wait(re.compile(r"○ control is away; going on after #2 \(\d+ s\)").search)
        view.wait(re.compile(r"going on after #2 \([1-9]\d* s\)").search, "the seconds go on")
        self.server.start()
        view.wait("● live, at #2")
        self.publish(*(custom("token", {"n": n}) for n in range(1, 21)), completed({}))
        self.assertEqual(view.wait_for_end(), 0)
        numbers = [int(n) for n in re.findall(r'(?m)^#\d+ .* token  \{"n":(\d+)\}$', view.text())]
        self.assertEqual(numbers, list(range(21)))
        self.assert_left(view)

    def test_control_that_does_not_come_back(self):
        self.publish(progress(5))
        view = self.watch("--retry_for_ms=300")
        view.wait("● live, at #1")
        self.server.kill()
        self.assertEqual(view.wait_for_end(), 3)
        self.assertIn("○ control is away", view.text())
        self.assertIn("given up after 300 ms", view.text())
        self.assert_left(view)
        self.server.start()

    def test_what_is_refused_leaves_the_terminal_and_says_why(self):
        self.session = "no/id"
        view = self.watch()
        self.assertEqual(view.wait_for_end(), 1)
        self.assertIn("session_id", view.text())
        self.assert_left(view)

    def test_another_size_is_drawn_anew(self):
        self.publish(progress(45), model("llama3.1:8b", "x" * 300 + " the end"))
        view = self.watch()
        view.wait("the end")
        for columns, rows in ((20, 6), (132, 43), (1, 1), (40, 12), (80, 24)):
            view.resize(columns, rows)
            bar = "█" * int(min(40, columns - 6) * 0.45)
            if columns >= 20:
                text = view.wait(lambda text: any(row.startswith(bar + "░") for row in rows_of(text)))
                self.assertTrue(rows_of(text)[0].startswith(self.session[:6]), text)
        self.publish(completed({}))
        self.assertEqual(view.wait_for_end(), 0)
        self.assert_harmless(view)

    def test_signals_that_end_it_leave_the_terminal_as_it_was(self):
        self.publish(progress(45))
        for stop, number in (
            (lambda view: view.type(b"\x03"), signal.SIGINT),
            (lambda view: view.process.send_signal(signal.SIGTERM), signal.SIGTERM),
            (lambda view: view.process.send_signal(signal.SIGHUP), signal.SIGHUP),
        ):
            with self.subTest(number.name):
                view = Terminal(
                    ["sh", "-c", f"echo before; exec {self.server.tool} watch {self.session} --control={self.server.control}"]
                )
                self.addCleanup(view.close)
                view.wait("● live, at #1")
                view.type(b"typed ahead\n")
                stop(view)
                self.assertEqual(view.wait_for_end(), -number)
                self.assertTrue(view.text().startswith(f"before\n{self.session}  PROCESSING"), view.text())
                self.assertNotIn("typed", view.text())
                self.assertEqual(view.typed_for_others(), 0)
                self.assert_left(view)

    def test_a_terminal_that_takes_nothing_does_not_keep_it_from_ending(self):
        self.publish(progress(45))
        view = self.watch(columns=500, rows=60)
        view.wait("● live, at #1")
        view.hold()
        for n in range(10):  # frames of 20 KB, of which a terminal holds 64
            self.publish(*(model(f"m{k}", f"{n} " * 200) for k in range(40)))
        view.process.terminate()
        self.assertEqual(view.process.wait(PATIENCE_S), -signal.SIGTERM)
        self.assertEqual(view.modes(), view.modes_before)

    def test_it_stops_for_the_shell_and_goes_on(self):
        self.publish(progress(45))
        # A shell that controls its jobs; it goes on when there is a line to read.
        script = f"{self.server.tool} watch {self.session} --control={self.server.control}; echo stopped; read x; fg"
        view = Terminal(["bash", "-m", "-c", script])
        self.addCleanup(view.close)
        view.wait("● live, at #1")
        view.type(b"\x1a")
        view.wait(lambda text: "stopped" in text and not view.screen.is_alternate)
        self.assertFalse(view.screen.cursor.hidden)
        view.type(b"go on\n")
        view.wait(lambda text: "● live, at #1" in text and view.screen.is_alternate)
        self.publish(progress(50), completed({}))
        self.assertEqual(view.wait_for_end(), 0)
        self.assertIn("ended at #3", view.text())
        self.assert_left(view)

    def test_a_terminal_that_others_had_meanwhile_is_drawn_anew(self):
        self.publish(progress(45))
        view = self.watch()
        view.wait("● live, at #1")
        own_modes = view.modes()
        self.assertNotEqual(own_modes, view.modes_before)
        view.process.send_signal(signal.SIGSTOP)
        view.set_modes(view.modes_before)
        drawn = len(view.raw)
        view.process.send_signal(signal.SIGCONT)
        view.wait(lambda text: b"\x1b[2J" in view.raw[drawn:] and "● live, at #1" in text)
        self.assertEqual(view.modes(), own_modes)
        view.type(b"\x03")
        self.assertEqual(view.wait_for_end(), -signal.SIGINT)
        self.assert_left(view)

    def test_nothing_of_an_events_text_is_obeyed(self):
        hostile = "".join(c for c in HOSTILE if c != "\0")
        events = [
            model(hostile, hostile, provider=hostile, runId=hostile),
            model("m", "", "FAILED", error=hostile),
            custom("token", {hostile: hostile}),
            {"error": {"error": hostile}},
            {"clarification": {"clarificationId": "c-1", "question": hostile, "status": "CLARIFICATION_STATUS_PENDING"}},
        ]
        self.publish(*events)
        self.server.run("answer", self.session, "c-1", hostile)
        view = self.watch(rows=40)
        view.wait("● live, at #6")
        self.assertTrue(view.screen.is_alternate)
        self.assertEqual(view.screen.title, "")
        lines = self.watch("--plain", rows=40)
        lines.wait("#6 ")
        as_json = self.watch("--json", rows=40)
        as_json.wait(lambda text: '"sequence":"6"' in text.replace("\n", ""))
        self.publish({"error": {"error": hostile, "final": True}})
        for terminal in (view, lines, as_json):
            self.assertEqual(terminal.wait_for_end(), 0)
            self.assert_harmless(terminal)
            self.assertEqual(terminal.screen.title, "")
        self.assertNotIn(b"\x1b", lines.raw + as_json.raw)
        self.assertIn("␛]0;owned␇␛[2J", lines.text())

    def test_lines_where_a_view_is_of_no_use(self):
        self.publish(progress(45), custom("token", {"n": 1}), completed({"pages": 3}))
        expected = r"^#1  [\d:.]+  progress       45 %  PROCESSING\n#2 .*\n#3 .*  completed      \{\"pages\":3\}$"
        for environment, flags in (
            ({}, ["--plain"]),
            ({"SESSIONCAST_PLAIN": "true"}, []),
            ({"TERM": "dumb"}, []),
            ({"TERM": ""}, []),
        ):
            lines = self.watch(*flags, environment=environment)
            self.assertEqual(lines.wait_for_end(), 0)
            self.assertRegex(lines.text(), expected)
            self.assertNotIn(b"\x1b", lines.raw)
        piped = self.server.run("watch", self.session)
        self.assertEqual(piped.returncode, 0)
        self.assertRegex(piped.stdout.strip(), expected)
        self.assertEqual(len(self.server.run("watch", self.session, "--json").stdout.splitlines()), 3)
        self.assertEqual(len(self.server.run("watch", self.session, "--count=2").stdout.splitlines()), 2)

    def test_as_many_events_as_were_asked_for(self):
        self.publish(progress(45), progress(50), progress(55))
        view = self.watch("--count=2")
        self.assertEqual(view.wait_for_end(), 0)
        self.assertIn("live, at #2", view.text())

    def test_many_events_are_few_frames(self):
        began = time.monotonic()
        view = self.watch(rows=40)
        view.wait("● live")
        self.publish(*(custom("token", {"n": n}) for n in range(3_000)), completed({}))
        self.assertEqual(view.wait_for_end(), 0)
        self.assertIn("ended at #3001", view.text())
        frames = view.raw.count(b"\x1b[?2026h")
        self.assertLess(frames, 20 * (time.monotonic() - began) + 2)
        self.assertGreater(frames, 0)

    def test_only_the_events_after_a_position(self):
        self.publish(progress(45), progress(50))
        epoch = json.loads(self.server.run("get", self.session, "--json").stdout)["position"]["epoch"]
        view = self.watch("--after_sequence=2", f"--epoch={epoch}")
        view.wait("● live, at #2")
        self.publish(progress(55), completed({}))
        self.assertEqual(view.wait_for_end(), 0)
        self.assertEqual(re.findall(r"(?m)^#\d", view.text()), ["#3", "#4"])

    def test_a_position_that_is_not_kept_is_followed_by_the_state(self):
        self.publish(progress(45), model("m", "text"))
        view = self.watch("--after_sequence=2", "--epoch=another0")
        view.wait("the events after #2 are not kept any more")
        view.wait("m  ollama  processing")
        lines = self.watch("--plain", "--after_sequence=2", "--epoch=another0")
        lines.wait("the events after 2 are not kept any more; the state so far, then what is new:\n#1 ")
        self.publish(completed({}))
        for terminal in (view, lines):
            self.assertEqual(terminal.wait_for_end(), 0)
            self.assertIn("#3 ", terminal.text())

    def test_no_colour_where_none_is_wanted(self):
        self.publish(progress(45), model("m", "日本 é"))
        colours = re.compile(rb"\x1b\[(\d;)?3\d(;\d)?m")
        view = self.watch(environment={"NO_COLOR": "1"})
        view.wait("é")
        self.assertIsNone(colours.search(view.raw))
        coloured = self.watch(environment={"LC_ALL": "C"})
        coloured.wait("é", "UTF-8, though no locale says so")
        self.assertIsNotNone(colours.search(coloured.raw))
        self.publish(completed({}))
        for terminal in (view, coloured):
            self.assertEqual(terminal.wait_for_end(), 0)

    def test_lines_go_on_when_control_comes_back_and_say_so(self):
        self.publish(progress(45))
        watching = subprocess.Popen(
            [self.server.tool, "watch", self.session, f"--control={self.server.control}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def end():
            watching.kill()
            watching.communicate()

        self.addCleanup(end)
        self.assertIn("#1 ", watching.stdout.readline())
        self.server.kill()
        self.assertEqual(watching.stderr.readline(), "control is away; going on after 1 when it is back\n")
        self.server.start()
        self.publish(progress(50), completed({}))
        out, err = watching.communicate(timeout=PATIENCE_S)
        self.assertEqual([line.split()[0] for line in out.splitlines()], ["#2", "#3"])
        self.assertEqual(err, "")
        self.assertEqual(watching.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
