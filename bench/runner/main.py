"""bench/run: measures Sessioncast, a Node server that does the same work, and the raw limits, in turn, and says which targets
are met.
"""

import argparse
import contextlib
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import load
import servers
from figures import Results
from fanout_shapes import narrow, tokens, wide
from jitter import jitter
from processes import Failure
from progress import Progress, duration
from quiet_shapes import grow, idle, publish
from servers import FLOOR
from storm import storm
from task import Context, Task

PROGRAMS = ["sessioncast-control", "sessioncast-edge", "sessioncast", "bench_load", "bench_floor"]
PROGRAMS_OF_STORM = ["chaos_crowd"]
DESCRIPTORS_MIN = 19_000  # of the server, and of bench_load, with 18,000 connections
SYNC_S = 1.5

# name: (its tasks, what it is); in the order in which they run.
SHAPES = {
    name: (tasks, tasks.__doc__)
    for name, tasks in {
        "wide": wide,
        "narrow": narrow,
        "tokens": tokens,
        "idle": idle,
        "publish": publish,
        "grow": grow,
        "storm": storm,
        "jitter": jitter,
    }.items()
}


def parse(arguments):
    shapes = "\n".join(f"  {name:8} {about}" for name, (_, about) in SHAPES.items())
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description=f"{__doc__}\nShapes:\n{shapes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help="default: all of them")
    parser.add_argument("--rounds", type=int, help="each takes the contenders in turn (2; --long: 5)")
    parser.add_argument("--seconds", type=float, help="a fixed rate is measured (3; --long: 10)")
    parser.add_argument("--long", action="store_true", help="more rounds, longer: about an hour")
    parser.add_argument("--redis", action="store_true", help="the peer on a Redis as well")
    parser.add_argument("--bin", type=pathlib.Path, help="programs that are built already")
    parser.add_argument("--store_in", type=pathlib.Path, help="a directory on a disk (build/bench)")
    parser.add_argument(
        "--to",
        type=pathlib.Path,
        help="where RESULTS.md and plots/ go (all shapes: bench/; else build/bench/)",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.shapes if name not in SHAPES]
    if unknown:
        parser.error(f"no such shape: {', '.join(unknown)}; there are: {', '.join(SHAPES)}")
    options.rounds = options.rounds or (5 if options.long else 2)
    options.seconds = options.seconds or (10.0 if options.long else 3.0)
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds: at least 1")
    is_all = not options.shapes or set(options.shapes) == set(SHAPES)
    options.shapes = [name for name in SHAPES if not options.shapes or name in options.shapes]
    options.to = options.to or servers.ROOT / ("bench" if is_all else "build/bench")
    options.store_in = (options.store_in or servers.ROOT / "build/bench").resolve()
    return options


def say(text):
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def prepare(options):
    """Installs and builds what is missing; the directory of the programs."""
    say("looking for what measuring needs")
    if subprocess.run([servers.ROOT / "tools/setup", "--for=bench"], check=False).returncode != 0:
        raise Failure("tools/setup --for=bench failed: it says above what to do")
    if options.bin:
        return options.bin
    say("building build/release (the first time: many minutes)")
    targets = PROGRAMS + (PROGRAMS_OF_STORM if "storm" in options.shapes else [])
    log = servers.ROOT / "build/setup/build-release.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    configure = ["cmake", "--preset", "release"]
    build = ["cmake", "--build", "--preset", "release", "--target", *targets]
    with open(log, "w", encoding="utf-8") as file:
        for command in (configure, build):
            done = subprocess.run(
                command, cwd=servers.ROOT, check=False, stdout=file, stderr=subprocess.STDOUT
            )
            if done.returncode != 0:
                tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-40:])
                raise Failure(f"{tail}\nThe build failed; all of its output: {log}")
    return servers.ROOT / "build/release/bin"


def raise_descriptors(shapes):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < DESCRIPTORS_MIN and {"grow", "idle"} & set(shapes):
        raise Failure(f"a process may have {hard} descriptors, and needs {DESCRIPTORS_MIN}: ulimit -Hn")


def disk_task():
    """Before each round: what durable figures stand on."""

    def measure(context):
        return load.fdatasync(context.place, SYNC_S)

    def said(measured):
        return f"p50 {measured['p50']:.0f} µs, p99 {measured['p99']:.0f} µs"

    return Task("disk", "fdatasync", FLOOR, SYNC_S + 0.5, measure, said)


def plan(options):
    """Shape after shape; within one the contenders in turn, and that again as often as there are rounds."""
    tasks = []
    for name in options.shapes:
        of_shape = SHAPES[name][0](redis=options.redis)
        for i in range(options.rounds):
            of_round = [task for task in of_shape if i < task.rounds_max]
            tasks += [disk_task(), *of_round] if of_round else []
    return tasks


def measure_all(tasks, context, progress):
    """The titles of those that failed: the others go on, and what is missing is said to be."""
    failed = []
    for task in tasks:
        progress.begin(task.title)
        said = None
        try:
            measured = task.measure(context)
            context.results.add(task.key, measured)
            said = task.said(measured)
        except Failure as failure:
            failed.append(task.title)
            said = f"FAILED: {failure}"
        progress.end(task.guess_s, said)
    return failed


@contextlib.contextmanager
def directory_in(parent):
    """A directory for as long as the block lasts."""
    parent.mkdir(parents=True, exist_ok=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(options):
    binaries = prepare(options)
    raise_descriptors(options.shapes)
    import report  # not before its matplotlib is installed
    import table
    import targets

    facts = report.machine(options.store_in)
    results = Results()
    tasks = plan(options)
    progress = Progress([task.guess_s for task in tasks])
    began = time.monotonic()
    with directory_in(options.store_in) as directory:
        servers.check_disk(directory)
        place = servers.Place(binaries, directory)
        failed = measure_all(tasks, Context(place, results, options.seconds, progress.detail), progress)
    facts.append(("command", f"`{command_line(options)}`, {duration(time.monotonic() - began)}"))
    rows = targets.rows(results)
    print("\n".join(table.text(rows)) + f"\n\n{report.disk_line(results)}")
    options.to.mkdir(parents=True, exist_ok=True)
    report.keep(servers.ROOT / "build/bench/results.json", results)
    report.write(options.to / "RESULTS.md", results, rows, facts, SHAPES)
    say(f"written: {options.to / 'RESULTS.md'}, build/bench/results.json")
    if failed:
        raise Failure("not measured, for what is said above:\n" + "\n".join(f"  {title}" for title in failed))


def command_line(options):
    words = ["bench/run", *options.shapes] if len(options.shapes) < len(SHAPES) else ["bench/run"]
    words += [f"--rounds {options.rounds}", f"--seconds {options.seconds:g}"]
    return " ".join(words + ["--redis"] * options.redis)


def main(arguments):
    options = parse(arguments)
    # As Ctrl-C: what was started is stopped on the way out.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        run(options)
    except Failure as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing is left running")
        return 130
    return 0
