#!/usr/bin/env python3
"""measure.py [--record] [--repeat N] [--built] [WORKLOAD...]: counts the instructions that a delivery takes.

Builds instruction_workload (main.cc says what the workloads are) in the preset `release`, runs each under callgrind, and
fails if a figure is more than 10 % away from recorded.json. Above: something costs more, and the profile beside the
message says what. Below: the figure has to follow, or the next one who makes it slower again would not be told.

  measure.py --record        writes what is measured into recorded.json: commit it with the change that it is due to
  measure.py --repeat 20     measures again and again, and prints the spread

Figures belong to a compiler; with one that has none, nothing is compared (exit code 77, which CTest calls skipped).
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RECORDED = pathlib.Path(__file__).resolve().parent / "recorded.json"
PROGRAM = ROOT / "build/release/bin/instruction_workload"
PROFILES = ROOT / "build/instructions"
WORKLOADS = ["wide", "narrow", "control", "edge"]
DEVIATION_PERCENT_MAX = 10
SKIPPED = 77

# The same work on every machine: glibc's plain memcpy and its kin, not those for the processor at hand; no time zone.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
    "TZ": "UTC",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-ERMS,-FSRM,-BMI2,-AVX_Fast_Unaligned_Load",
}


class Failed(Exception):
    """What could not be measured, as a person reads it."""


def build():
    for command in (
        ["cmake", "--preset", "release"],
        ["cmake", "--build", "--preset", "release", "--target", PROGRAM.name],
    ):
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise Failed(f"{' '.join(command)} failed:\n{(ran.stdout + ran.stderr)[-4000:]}")


def profile_of(workload):
    return PROFILES / f"callgrind.{workload}.out"


def count(workload):
    """Runs it once: (instructions a delivery, the compiler)."""
    PROFILES.mkdir(parents=True, exist_ok=True)
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no"]
    command += [f"--callgrind-out-file={profile_of(workload)}", str(PROGRAM), workload]
    try:
        ran = subprocess.run(
            command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise Failed("valgrind is not there: tools/setup --for=test installs it") from None
    collected = re.search(r"Collected : (\d+)", ran.stderr)
    if ran.returncode != 0 or collected is None:
        raise Failed(f"{workload}: {' '.join(command)} failed:\n{ran.stderr[-4000:]}")
    said = json.loads(ran.stdout)
    return int(collected[1]) / said["deliveries"], said["compiler"]


def judge(workload, measured, recorded):
    """(passed, what to print). `recorded`: None if there is no figure to compare with."""
    line = f"{workload}: {measured:,.0f} instructions a delivery"
    if recorded is None:
        return True, f"{line}; NOT COMPARED, none are recorded for this compiler"
    percent = (measured / recorded - 1) * 100
    line += f", recorded are {recorded:,.0f}: {percent:+.1f} %"
    if abs(percent) <= DEVIATION_PERCENT_MAX:
        return True, line
    return False, (
        f"{line} (at most {DEVIATION_PERCENT_MAX} % either way)\n"
        f"  the profile: callgrind_annotate --inclusive=yes {os.path.relpath(profile_of(workload), ROOT)}\n"
        f"  if it is meant, record it in the same commit: tests/instructions/measure.py --record"
    )


def record(compiler, figures):
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    recorded.setdefault(compiler, {}).update(
        {workload: round(figure) for workload, figure in figures.items()}
    )
    RECORDED.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n")
    print(f"recorded for {compiler}: {RECORDED.relative_to(ROOT)}")


def print_spread(workload, repeat):
    figures = [count(workload)[0] for _ in range(repeat)]
    spread = (max(figures) / min(figures) - 1) * 100
    print(
        f"{workload}: {repeat} runs, {min(figures):,.1f} to {max(figures):,.1f}: {spread:.4f} %",
        flush=True,
    )


def compare(workloads, does_record):
    """The exit code."""
    recorded = json.loads(RECORDED.read_text())
    figures = {}
    all_passed = True
    compiler = None
    for workload in workloads:
        figures[workload], compiler = count(workload)
        passed, text = judge(workload, figures[workload], recorded.get(compiler, {}).get(workload))
        # What to do about it is no news to who records.
        print(text.splitlines()[0] if does_record else text, flush=True)
        all_passed = all_passed and passed
    if does_record:
        record(compiler, figures)
        return 0
    if not all_passed:
        return 1
    if compiler not in recorded:
        print(f"this is {compiler}; recorded are {', '.join(sorted(recorded))}")
        return SKIPPED
    return 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--record", action="store_true", help="write what is measured")
    parser.add_argument("--repeat", type=int, metavar="N", help="print the spread of N runs")
    parser.add_argument("--built", action="store_true", help="the program is up to date")
    parser.add_argument("--build_only", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    workloads = arguments.workloads or WORKLOADS
    if unknown := set(workloads) - set(WORKLOADS):
        parser.error(f"there are {', '.join(WORKLOADS)}; not {', '.join(sorted(unknown))}")
    try:
        if not arguments.built:
            build()
        if arguments.build_only:
            return 0
        if arguments.repeat:
            for workload in workloads:
                print_spread(workload, arguments.repeat)
            return 0
        return compare(workloads, arguments.record)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
