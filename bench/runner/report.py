"""Writes RESULTS.md: where and when it was measured, the targets, every figure, the plots."""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess

import plots
import servers
import table
from servers import FLOOR, NAMES

# Of each shape: (path in the measurement, heading, unit, part of a unit).
FANOUT = [
    ("rate", "deliveries/s", 1),
    ("cpu_us_a_delivery", "CPU a delivery, µs", 1),
    ("latency_us.p50", "p50, ms", 1_000),
    ("latency_us.p99", "p99, ms", 1_000),
    ("latency_us.p999", "p999, ms", 1_000),
    ("gaps", "skipped", 1),
    ("duplicates", "twice", 1),
]
COLUMNS = {
    "wide": FANOUT,
    "narrow": FANOUT,
    "tokens": FANOUT,
    "grow": FANOUT[1:],
    "idle": [
        ("bytes_a_connection", "resident a connection, bytes", 1),
        ("connects_a_second", "connect + subscribe /s", 1),
        ("cpu_us_a_connection", "CPU a connection, µs", 1),
        ("resident_mb.before", "resident before, MB", 1),
        ("resident_mb.with", "with them, MB", 1),
        ("resident_mb.after", "after they left, MB", 1),
        ("resident_mb.after_again", "after a second time, MB", 1),
    ],
    "publish": [
        ("events_a_second", "events/s", 1),
        ("latency_us.p50", "p50, ms", 1_000),
        ("latency_us.p99", "p99, ms", 1_000),
        ("cpu_us_server", "CPU of the server, s", 1_000_000),
    ],
    "storm": [
        ("back", "back", 1),
        ("back_s.p50", "p50, s", 1),
        ("back_s.p95", "p95, s", 1),
        ("back_s.max", "the last, s", 1),
        ("edge_up_s", "edge up after, s", 1),
        ("lost", "events lost", 1),
    ],
    "jitter": [
        ("delivered_part", "delivered", 1),
        ("duplicates", "twice", 1),
        ("out_of_order", "out of order", 1),
        ("replay_ms.p50", "replay p50, ms", 1),
        ("replay_ms.p99", "replay p99, ms", 1),
        ("kills", "connections killed", 1),
        ("recovered", "recovered", 1),
    ],
}


def _first_line(command):
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=servers.ROOT)
    except (OSError, subprocess.CalledProcessError):
        return "?"
    return (done.stdout.splitlines() or ["?"])[0]


def _processor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    match = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return match[1] if match else platform.machine()


def _memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def machine(store_in):
    """What the figures depend on, as (name, what)."""
    kind, device = servers.file_system_of(store_in)
    changed = _first_line(["git", "status", "--porcelain", "--", ".", ":!bench/RESULTS.md", ":!bench/plots"])
    commit = _first_line(["git", "rev-parse", "--short", "HEAD"])
    return [
        ("date", datetime.datetime.now().astimezone().isoformat(timespec="minutes")),
        ("commit", commit + ("" if changed == "?" else ", with changes")),
        ("processor", f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("load before", " ".join(f"{load:.2f}" for load in os.getloadavg())),
        ("store on", f"{kind} ({device})"),
        ("Node.js", _first_line(["node", "--version"])),
    ]


def _figures(results, shape):
    """The table of a shape: a line for each of what was measured and each contender."""
    columns = COLUMNS[shape]
    head = ("what", "server", *(heading for _, heading, _ in columns))
    rows = []
    for of_shape, what, contender in results.keys():
        if of_shape != shape:
            continue
        cells = []
        for path, _, part in columns:
            spread = results.spread(shape, what, contender, path)
            cells.append("–" if spread is None else table.shown(_in_parts(spread, part)))
        rows.append((what, NAMES[contender], *cells))
    return table.markdown(rows, head)


def _in_parts(spread, part):
    values = (spread.median / part, spread.low / part, spread.high / part)
    return type(spread)(*values, spread.rounds)


def disk_line(results):
    """fdatasync's own latency, which durable figures stand on."""
    p50, p99 = (results.spread("disk", "fdatasync", FLOOR, name) for name in ("p50", "p99"))
    return f"sync (fdatasync alone, of 4 KiB): p50 {table.shown(p50)} µs, p99 {table.shown(p99)} µs"


def write(path, results, rows, facts, shapes):
    """RESULTS.md at `path`, its plots in `plots/` beside it; and the measurements themselves in results.json under build/."""
    drawn = plots.draw_all(results, path.parent / "plots")
    lines = ["# Results", "", "Written by `bench/run`; what is measured and why: [README.md](README.md)."]
    lines += ["", *table.markdown(facts, ("", ""))]
    lines += ["", "## Targets", "", "Medians over the rounds (least..most). Ratios are of one run.", ""]
    lines += [*table.markdown(rows), "", disk_line(results) + ".", ""]
    for title, plot in drawn:
        lines += [f"![{title}](plots/{plot.name})", ""]
    for shape, (_, about) in shapes.items():
        if any(key[0] == shape for key in results.keys()):
            lines += [f"## {shape}", "", about, "", *_figures(results, shape), ""]
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def keep(path, results):
    """The measurements as they were taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results.as_json(), indent=1), encoding="utf-8")
