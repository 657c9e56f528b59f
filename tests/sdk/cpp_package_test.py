#!/usr/bin/env python3
"""The C++ SDK as a stranger meets it: installed from a build, found by examples/cpp, copied to a directory outside the tree,
with CMake's ordinary commands; the example then publishes into a real control, and its question is answered.

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


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    flags = sys.argv[2] if len(sys.argv) > 2 else ""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        run("cmake", "--install", build, "--component", "sdk", "--prefix", scratch / "prefix")
        shutil.copytree(ROOT / "examples/cpp", scratch / "outside")
        run("cmake", "-S", scratch / "outside", "-B", scratch / "build", f"-DCMAKE_PREFIX_PATH={scratch / 'prefix'}",
            f"-DCMAKE_CXX_FLAGS={flags}")  # fmt: skip
        run("cmake", "--build", scratch / "build")
        control, address = start_control(build / "bin", scratch / "control.log")
        try:
            job = subprocess.Popen([scratch / "build/publish", "job", address], stdout=subprocess.PIPE, text=True)
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
        finally:
            control.terminate()
            control.wait(PATIENCE_S)


if __name__ == "__main__":
    main()
