#!/usr/bin/env python3
"""The C++ SDK as a stranger meets it: installed from a build, found by examples/cpp, copied to a directory outside the tree,
with CMake's ordinary commands; the example then publishes into a real control, and its question is answered. The same with
the two programs of docs/QUICKSTART.md.

    cpp_package_test.py BUILD_DIR [FLAGS_OF_COMPILER]
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 300


def run(*command, **more):
    print("+", *command, flush=True)
    return subprocess.run([str(part) for part in command], check=True, timeout=PATIENCE_S, **more)


def start_control(bin_dir, log):
    with open(log, "w") as file:
        control = subprocess.Popen(
            [bin_dir / "sessioncast-control", "--grpc_listen=localhost:0", "--store=memory"], stdout=file, stderr=file
        )
    while True:
        found = re.search(r"control listening on 127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return control, f"localhost:{found[1]}"
        if control.poll() is not None:
            raise AssertionError(log.read_text())
        os.sched_yield()


def block(language, marker):
    """The one block of docs/QUICKSTART.md of that language with `marker` in it."""
    text = (ROOT / "docs/QUICKSTART.md").read_text()
    fitting = [code for code in re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S) if marker in code]
    assert len(fitting) == 1, (language, marker, len(fitting))
    return fitting[0]


def build_outside(source, scratch, flags):
    build = scratch / f"build-{source.name}"
    run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={scratch / 'prefix'}", f"-DCMAKE_CXX_FLAGS={flags}")
    run("cmake", "--build", build)
    return build


def quickstart(scratch, address, flags):
    """Its publisher moves the bar, its reader shows each step."""
    programs = []
    for name, marker in ("publisher", "publisher.h"), ("reader", "session_stream.h"):
        source = scratch / name
        source.mkdir()
        (source / "CMakeLists.txt").write_text(block("cmake", "project(bar CXX)"))
        (source / "main.cc").write_text(block("cpp", marker).replace("localhost:50051", address))
        programs.append(build_outside(source, scratch, flags) / "bar")
    publisher, reader = programs
    shown = subprocess.Popen([reader], stdout=subprocess.PIPE, text=True)
    try:
        run(publisher)
        lines = [shown.stdout.readline() for _ in range(21)]
        assert lines == [f"{percent} %\n" for percent in range(0, 101, 5)], lines
    finally:
        shown.kill()
        shown.wait(PATIENCE_S)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    flags = sys.argv[2] if len(sys.argv) > 2 else ""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        run("cmake", "--install", build, "--component", "sdk", "--prefix", scratch / "prefix")
        shutil.copytree(ROOT / "examples/cpp", scratch / "outside")
        example = build_outside(scratch / "outside", scratch, flags)
        control, address = start_control(build / "bin", scratch / "control.log")
        try:
            job = subprocess.Popen([example / "publish", "job", address], stdout=subprocess.PIPE, text=True)
            tool = [build / "bin/sessioncast"]
            # Until the question is there.
            watch = subprocess.Popen(
                [*tool, "watch", "job", f"--control={address}", "--json"], stdout=subprocess.PIPE, text=True
            )
            question = next(json.loads(line) for line in watch.stdout if "clarificationId" in line)
            run(*tool, "answer", "job", question["clarification"]["clarificationId"], "sure", f"--control={address}")
            output, _ = job.communicate(timeout=PATIENCE_S)
            assert job.returncode == 0 and output == "answered: sure\n", (job.returncode, output)
            events = [json.loads(line) for line in watch.stdout]
            assert watch.wait(PATIENCE_S) == 0
            assert "completed" in events[-1], events[-1]
            quickstart(scratch, address, flags)
        finally:
            control.terminate()
            control.wait(PATIENCE_S)


if __name__ == "__main__":
    main()
