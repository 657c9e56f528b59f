"""tools/tidy.py finds what it is there to find: each rule is broken once in a small tree, and the clean tree passes."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = "// A thing. Any thread. Never changes.\n#pragma once\n"


def tidy(files):
    """What tidy.py says of a tree of these files."""
    with tempfile.TemporaryDirectory() as directory:
        for path, text in files.items():
            target = pathlib.Path(directory, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return subprocess.run(
            [sys.executable, ROOT / "tools/tidy.py", f"--root={directory}"],
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )


class TidyTest(unittest.TestCase):

    def assert_clean(self, files):
        result = tidy(files)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def assert_found(self, path, text, expected, others=()):
        result = tidy({path: text, **dict(others)})
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn(expected, result.stdout)
        self.assertIn(path, result.stdout)

    def test_a_tree_that_follows_the_rules_passes(self):
        self.assert_clean(
            {
                "control/history.h": HEADER + '#include "control/event.h"\n',
                "control/event.h": HEADER,
                "control/broker.cc": '#include "control/history.h"\n#include "control/store.h"\n',
                "control/rocksdb_store.cc": '#include <rocksdb/db.h>\n#include "control/store.h"\n',
                "edge/upstream.cc": '#include "edge/hub.h"\n#include <grpcpp/channel.h>\n',
                "edge/engineio/listener.cc": "#include <boost/asio.hpp>\n",
                "edge/wire.cc": 'const char* kName = "modelName";\n',
                "tests/edge/wire_test.cc": '#include "control/event.h"\n#include "edge/wire.h"\n',
                "tools/serve.cc": '#include "control/server.h"\n#include "edge/server.h"\n',
            }
        )

    def test_edge_may_not_include_control(self):
        self.assert_found(
            "edge/hub.cc",
            '#include "control/history.h"\n',
            "edge may not include control/history.h",
        )

    def test_control_may_not_include_edge(self):
        self.assert_found(
            "control/broker.cc", '#include "edge/hub.h"\n', "control may not include edge/hub.h"
        )

    def test_the_client_sdk_knows_the_protos_only(self):
        self.assert_found(
            "client_sdk/cpp/client.cc", '#include "control/event.h"\n', "client_sdk may not include"
        )

    def test_the_daemon_library_includes_nothing_of_ours(self):
        self.assert_found(
            "tools/daemon/log.cc", '#include "control/event.h"\n', "tools/daemon may not include"
        )

    def test_engineio_does_not_know_socketio(self):
        self.assert_found(
            "edge/engineio/server.cc",
            '#include "edge/socketio/server.h"\n',
            "edge/engineio may not include",
        )

    def test_the_socketio_library_has_nothing_of_sessions_in_it(self):
        self.assert_found(
            "edge/socketio/server.cc",
            '#include "edge/wire.h"\n',
            "edge/socketio may not include edge/wire.h",
        )

    def test_a_lower_layer_may_not_include_a_higher_one(self):
        self.assert_found(
            "control/history.cc", '#include "control/broker.h"\n', "history is below broker"
        )

    def test_a_file_beside_its_layer_counts_as_the_layer(self):
        self.assert_found(
            "control/history_fold.cc", '#include "control/broker.h"\n', "history is below broker"
        )

    def test_neighbours_of_a_layer_do_not_see_each_other(self):
        self.assert_found(
            "edge/rest.cc", '#include "edge/session_socket.h"\n', "stand beside each other"
        )

    def test_a_file_without_a_layer_is_named(self):
        self.assert_found("control/novelty.cc", "int x;\n", "novelty has no layer")

    def test_a_library_is_used_in_its_places_only(self):
        for path, include in {
            "control/broker.cc": "boost/asio.hpp",
            "edge/hub.cc": "grpcpp/channel.h",
            "control/history.cc": "rocksdb/db.h",
            "control/event.cc": "nlohmann/json.hpp",
            "tools/main.cc": "absl/log/check.h",
            "edge/server.cc": "prometheus/gauge.h",
        }.items():
            with self.subTest(include):
                self.assert_found(path, f"#include <{include}>\n", "/ is for ")

    def test_pure_files_read_no_clock_and_take_no_lock(self):
        self.assert_found("control/history.h", HEADER + "#include <mutex>\n", "this file is pure")
        self.assert_found(
            "control/history_page.cc",
            "auto now = std::chrono::system_clock::now();\n",
            "this file is pure",
        )

    def test_a_file_over_600_lines_is_too_long(self):
        self.assert_clean({"control/event.cc": "int x;\n" * 600})
        self.assert_found("control/event.cc", "int x;\n" * 601, "601 lines; at most 600")

    def test_a_function_over_70_lines_is_too_long(self):
        self.assert_clean({"control/event.cc": "int F() {\n" + "  x();\n" * 68 + "}\n"})
        self.assert_found(
            "control/event.cc", "int F() {\n" + "  x();\n" * 69 + "}\n", "a function of 71 lines"
        )

    def test_lines_between_functions_do_not_count(self):
        self.assert_clean(
            {
                "control/event.cc": ("constexpr int kX[] =\n    Make();\n" + "\n" * 40) * 3
                + "int F() {\n}\n"
            }
        )

    def test_a_constant_in_braces_is_no_function(self):
        long_class = "class Thing {\n" + "  int x;\n" * 80 + "};\n"
        self.assert_clean({"control/event.cc": "constexpr Seconds kPatience{60};\n" + long_class})

    def test_empty_words_are_banned_in_names(self):
        self.assert_found(
            "control/event.h", HEADER + "class EventManager {};\n", "EventManager says Manager"
        )
        self.assert_found("control/event_util.cc", "int x;\n", "the file's name says Util")

    def test_a_header_opens_with_a_comment_and_pragma_once(self):
        self.assert_found("control/event.h", "#pragma once\n", "opens with a comment")
        self.assert_found("control/event.h", "// A thing.\n", "#pragma once is missing")

    def test_unfinished_work_is_found_anywhere(self):
        for word in ("TO" "DO", "FIX" "ME"):
            for path in ("control/event.cc", "docs/PROTOCOL.md", "tools/run"):
                with self.subTest(f"{word} in {path}"):
                    self.assert_found(path, f"# {word}: later\n", f"{word}: finish it")

    def test_a_browsers_field_name_belongs_to_wire(self):
        self.assert_found("edge/rest.cc", 'x["modelName"] = 1;\n', "modelName is a browser's name")

    def test_default_capture_is_found(self):
        self.assert_found("edge/hub.cc", "auto f = [=] { return x; };\n", "capture by name")

    def test_a_test_that_sleeps_is_found(self):
        self.assert_found(
            "tests/edge/x_test.cc", "  std::this_thread::sleep_for(1s);\n", "do not sleep"
        )
        self.assert_found("tests/e2e/x.py", "time." "sleep(1)\n", "do not sleep")

    def test_the_top_level_is_fixed(self):
        result = tidy({"common/x.cc": "int x;\n"})
        self.assertEqual(
            (result.returncode, result.stdout[: len("common:1: the top")]), (1, "common:1: the top")
        )


if __name__ == "__main__":
    unittest.main()
