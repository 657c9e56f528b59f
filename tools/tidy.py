#!/usr/bin/env python3
"""tools/tidy.py [--root DIR]: the rules that keep the tree as docs/ARCHITECTURE.md draws it. Runs under CTest as `tidy`.

Prints each violation as FILE:LINE: WHAT, and exits 1 if there is any. The rules are the tables below: what may include
what, where a library may be used, how long a file and a function may be, which words names do without.
"""

import argparse
import os
import pathlib
import re
import sys

# --- The rules

TOP_LEVEL = {
    "CMakeLists.txt",
    "CMakePresets.json",
    "README.md",
    "proto",
    "edge",
    "control",
    "client_sdk",
    "tests",
    "bench",
    "tools",
    "docs",
    "examples",
    "build",
    "sessioncast-data",
}  # not committed

# Which rooms a room may include, beside itself. The first prefix that fits a path names its room.
ROOMS = {
    "proto": [],
    "control": ["proto", "tools/daemon", "tools/access"],
    "edge/engineio": [],
    "edge/socketio": ["edge/engineio"],
    "edge": ["proto", "client_sdk", "edge/socketio", "edge/engineio", "tools/daemon", "tools/access"],
    "client_sdk": ["proto"],
    "tools/daemon": [],
    "tools/access": [],
    "tools": [
        "proto",
        "client_sdk",
        "control",
        "edge",
        "edge/socketio",
        "edge/engineio",
        "tools/daemon",
        "tools/access",
    ],
    "tests": None,  # anything
    "bench": None,
    "examples": ["client_sdk", "proto"],
}

# Layers within a room, lowest first. A file includes its own layer and those below; a stem not named here belongs to
# the layer of the longest prefix that is (`history_fold` to `history`).
LAYERS = {
    "control": [
        ["utf8", "random", "position", "loop", "worker_pool", "error_detail", "publish_order", "clock", "commit_marker"],
        ["validate", "handling", "deadline", "retention"],
        ["event"],
        ["fold", "pager", "stored_session"],
        ["history", "store", "rocksdb_records"],
        ["session", "memory_store", "rocksdb_store", "rocksdb_options", "commit_queue", "deadline_thread"],
        ["broker"],
        ["access", "grpc_status", "refusal", "tls", "wake_gate", "long_calls", "write_pacer"],
        ["ask_call", "publish_stream", "session_stream", "attach_stream"],
        ["session_service", "edge_service", "server_service"],
        ["listener"],
        ["server"],
        ["flags", "metrics"],
        ["main"],
    ],
    "edge": [
        ["wire", "attach_stream", "pace", "broken_rule", "unshown_log"],
        ["cursor"],
        ["hub"],
        ["upstream"],
        ["access", "answer", "census", "readiness", "recovery", "session_list", "web_files"],
        ["rest", "session_socket", "web_root"],
        ["server"],
        ["control_channel", "flags", "metrics"],
        ["main"],
    ],
}

# Files of one layer that may not see each other.
STRANGERS = {
    "control": [
        {"history", "store"},
        {"memory_store", "rocksdb_store"},
        {"session_service", "edge_service", "server_service"},
    ],
    "edge": [{"rest", "session_socket"}],
}

# Files without I/O, clocks and locks: no such header, no such call.
PURE = [
    "control/utf8",
    "control/position",
    "control/validate",
    "control/handling",
    "control/event",
    "control/fold",
    "control/pager",
    "control/retention",
    "control/history",
    "edge/cursor",
    "edge/pace",
    "edge/session_list",
    "edge/wire",
    "edge/engineio/packet",
    "edge/engineio/utf8",
    "edge/engineio/websocket_frame",
    "edge/socketio/json_text",
    "edge/socketio/packet",
]
IMPURE = re.compile(
    r"#include <(mutex|thread|fstream|iostream|condition_variable|shared_mutex)>"
    r"|#include \"absl/(synchronization/|time/clock)|(system|steady)_clock::now\(|absl::Now\("
)

# Where the headers of a library may be included: path prefixes. Tests may use anything.
LIBRARIES = {
    "boost/": ["edge/engineio/", "edge/rest", "edge/server", "tools/sessioncast/web_connection"],
    "grpcpp/": [
        "control/session_service",
        "control/edge_service",
        "control/server_service",
        "control/access",
        "control/grpc_status",
        "control/long_calls",
        "control/refusal",
        "control/ask_call",
        "control/publish_stream",
        "control/session_stream",
        "control/attach_stream",
        "control/server",
        "control/tls",
        "edge/attach_stream",
        "edge/control_channel",
        "edge/upstream",
        "edge/server",
        "client_sdk/",
        "tools/serve",
        "tools/daemon/one_poller",
    ],
    "rocksdb/": ["control/rocksdb_store", "control/rocksdb_options"],
    "jwt.h": ["tools/access/"],
    "nlohmann/": ["edge/", "tools/"],
    "prometheus/": ["tools/daemon/metrics"],
    "utf8proc.h": ["tools/sessioncast/shown_text"],
    "absl/log/": [],
}

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

BANNED_IN_NAMES = {"Manager", "Helper", "Util", "Utils", "Common", "Base", "Impl", "Data", "Info"}

# Names of event fields that browsers see: they are in the proto's options and in edge/wire, nowhere else.
BROWSER_FIELDS = ["modelName", "hasClarifications", "clarificationCount", "hasResult", "runId"]

# A line of C++ may not have these: the pattern, where it counts, what is wrong with it.
LINE_RULES = [
    (r"\[=\]", "", "capture by name, not [=]"),
    (r"#include\s+[<\"](bits/|\.\.?/)", "", "include from the repository root"),
    (
        r"\b(sleep_for|SleepFor|usleep|sleep_until)\s*\(",
        "tests/",
        "wait for a condition with a deadline, do not sleep",
    ),
    (r"\bGTEST_SKIP\b|\bDISABLED_", "tests/", "a test runs, or is not there"),
]

DEFINITION = re.compile(
    r"(?!(?:namespace|class|struct|enum|union|using|extern|typedef|static_assert)\b)[A-Za-z_~:<\[]"
)
# All of it on a line, as `constexpr Seconds kPatience{60};`.
CONSTANT = re.compile(r"\{[^{}]*\};$")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")

# --- Reading the tree

SKIPPED_DIRECTORIES = {"node_modules", "build", "dist", "__pycache__", "sessioncast-data"}
CPP = {".h", ".cc"}
TEXT = CPP | {
    ".proto",
    ".py",
    ".js",
    ".mjs",
    ".ts",
    ".tsx",
    ".css",
    ".html",
    ".txt",
    ".md",
    ".sh",
    ".cmake",
    "",
}


class Source:
    """One file: its path from the root, and its lines."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.stem = path.stem
        self.suffix = path.suffix
        self.lines = path.read_text(encoding="utf-8", errors="replace").splitlines()

    def includes(self):
        """Pairs of line number and what is included from the repository root, or from a library."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
            if match:
                yield number, match[1]


def sources(root):
    for directory, names, files in os.walk(root):
        names[:] = sorted(
            n
            for n in names
            if n not in SKIPPED_DIRECTORIES and not (n.startswith(".") and n != ".ci")
        )
        for name in sorted(files):
            path = pathlib.Path(directory, name)
            if path.suffix in TEXT and not name.startswith("."):
                yield Source(root, path)


def room_of(path):
    fitting = [room for room in ROOMS if path.startswith(room + "/")]
    return max(fitting, key=len) if fitting else None


# --- The checks: each yields (line, what)


def check_rooms(source):
    room = room_of(source.path)
    allowed = ROOMS.get(room)
    if source.suffix not in CPP or allowed is None:
        return
    for line, included in source.includes():
        target = room_of(included)
        if target and target != room and target not in allowed:
            yield line, f"{room} may not include {included}: the arrow points the other way"


def layer_of(room, stem):
    """(index, name) of the layer that a file belongs to, or None."""
    fitting = [
        (len(name), index, name)
        for index, names in enumerate(LAYERS[room])
        for name in names
        if stem == name or stem.startswith(name + "_")
    ]
    return max(fitting)[1:] if fitting else None


def check_layers(source):
    room = room_of(source.path)
    if source.suffix not in CPP or room not in LAYERS:
        return
    own = layer_of(room, source.stem)
    if own is None:
        yield 1, f"{source.stem} has no layer: name it in LAYERS of tools/tidy.py"
        return
    for line, included in source.includes():
        if room_of(included) != room or included.endswith(".pb.h"):
            continue
        other = layer_of(room, pathlib.PurePosixPath(included).stem)
        if other is None:
            continue  # reported at that file
        if other[0] > own[0]:
            yield line, f"{own[1]} is below {other[1]}: it may not include {included}"
        elif {own[1], other[1]} in STRANGERS[room]:
            yield line, f"{own[1]} and {other[1]} stand beside each other: neither includes the other"


def check_libraries(source):
    if source.suffix not in CPP or source.path.startswith(("tests/", "bench/")):
        return
    for line, included in source.includes():
        for library, places in LIBRARIES.items():
            if included.startswith(library) and not source.path.startswith(tuple(places)):
                yield line, f"{library} is for {', '.join(places) or 'nobody'}"


def check_purity(source):
    if source.suffix in CPP and any(
        re.match(re.escape(pure) + r"(_\w+)?\.", source.path) for pure in PURE
    ):
        for number, line in enumerate(source.lines, 1):
            if IMPURE.search(line):
                yield number, "this file is pure: it does no I/O, reads no clock, takes no lock"


def check_size(source):
    if (
        source.suffix in CPP | {".proto", ".py", ".js", ".mjs", ".ts", ".tsx"}
        and len(source.lines) > FILE_LINES_MAX
    ):
        yield FILE_LINES_MAX + 1, f"{len(source.lines)} lines; at most {FILE_LINES_MAX}"


def check_function_size(source):
    """Functions defined at the left margin (in a .cc all are): from their first line to the `}` at the margin."""
    if source.suffix != ".cc":
        return
    start = None  # the first line of what may be a function
    opened = False
    for number, line in enumerate(source.lines, 1):
        if line.startswith("}"):
            if start and number - start + 1 > FUNCTION_LINES_MAX:
                yield start, f"a function of {number - start + 1} lines; at most {FUNCTION_LINES_MAX}"
            start = None
        elif start is None and DEFINITION.match(line) and not CONSTANT.search(line):
            start, opened = number, False
        opened = opened or "{" in line
        if start and not opened and line.endswith(";"):
            start = None  # a declaration, or a constant


def words_of(name):
    return set(re.findall(r"[A-Z][a-z0-9]*", name)) | {
        word.capitalize() for word in name.split("_")
    }


def check_names(source):
    if source.suffix not in CPP | {".proto", ".py"}:
        return
    banned = words_of(source.stem) & BANNED_IN_NAMES
    if banned:
        yield 1, f"the file's name says {', '.join(sorted(banned))}: say what it does"
    declaration = re.compile(
        r"^\s*(?:template\s*<.*>\s*)?(?:class|struct|enum(?: class)?|union|message|using|def|namespace)\s+"
        r"(?:\[\[\w+\]\]\s*)?([A-Za-z_]\w*)\s*(?![\w:]|::)"
    )
    for number, line in enumerate(source.lines, 1):
        match = declaration.match(line)
        banned = words_of(match[1]) & BANNED_IN_NAMES if match else None
        if banned:
            yield number, f"{match[1]} says {', '.join(sorted(banned))}: say what it does"


def check_opening(source):
    if source.suffix not in {".h", ".proto"}:
        return
    if not source.lines or not source.lines[0].startswith("//"):
        yield 1, "opens with a comment: what it is, which threads, which invariants"
    if source.suffix == ".h" and "#pragma once" not in source.lines:
        yield 1, "#pragma once is missing"


def check_lines(source):
    if source.suffix not in CPP:
        return
    for number, line in enumerate(source.lines, 1):
        for pattern, place, wrong in LINE_RULES:
            if source.path.startswith(place) and re.search(pattern, line):
                yield number, wrong


def check_unfinished(source):
    for number, line in enumerate(source.lines, 1):
        match = UNFINISHED.search(line)
        if match:
            yield number, f"{match[1]}: finish it, or file an issue"


def check_browser_fields(source):
    if (
        source.suffix not in CPP
        or not source.path.startswith(("edge/", "control/"))
        or source.stem == "wire"
    ):
        return
    for number, line in enumerate(source.lines, 1):
        for field in BROWSER_FIELDS:
            if f'"{field}"' in line or f'\\"{field}\\"' in line:
                yield number, f"{field} is a browser's name: it belongs to edge/wire"


def check_python_sleep(source):
    if source.suffix == ".py" and source.path.startswith("tests/"):
        for number, line in enumerate(source.lines, 1):
            if re.search(r"\btime\.sleep\(", line):
                yield number, "wait for a condition with a deadline, do not sleep"


CHECKS = [
    check_rooms,
    check_layers,
    check_libraries,
    check_purity,
    check_size,
    check_function_size,
    check_names,
    check_opening,
    check_lines,
    check_unfinished,
    check_browser_fields,
    check_python_sleep,
]


def check_top_level(root):
    for path in sorted(root.iterdir()):
        if path.name not in TOP_LEVEL and not path.name.startswith("."):
            yield f"{path.name}:1: the top level is fixed (TOP_LEVEL in tools/tidy.py)"


def violations(root):
    yield from check_top_level(root)
    for source in sources(root):
        for check in CHECKS:
            for line, what in check(source):
                yield f"{source.path}:{line}: {what}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent
    )
    found = list(violations(parser.parse_args().root.resolve()))
    for violation in found:
        print(violation)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
