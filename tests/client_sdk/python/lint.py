#!/usr/bin/env python3
"""lint.py DIRECTORY: mypy --strict and ruff over the Python client, and over a project that uses it, with the environment
DIRECTORY/newest that install.py made.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "client_sdk/python"


def main():
    directory = pathlib.Path(sys.argv[1]).resolve()
    bin_ = directory / "newest/bin"
    job = ROOT / "tests/client_sdk/python/stranger/job.py"
    with tempfile.TemporaryDirectory() as elsewhere:
        shutil.copy(job, elsewhere)
        mypy = [bin_ / "mypy", f"--cache-dir={elsewhere}/cache", f"--config-file={PACKAGE}/pyproject.toml"]
        # The built one has the stubs.
        built = directory / "source/client_sdk/python"
        checks = [
            ([bin_ / "ruff", "check", "--no-cache", PACKAGE], elsewhere),
            ([bin_ / "ruff", "format", "--no-cache", "--check", PACKAGE], elsewhere),
            ([*mypy, "-p", "sessioncast"], built),
            ([*mypy, "job.py"], elsewhere),
        ]
        codes = [subprocess.run(list(map(str, check)), cwd=where, check=False).returncode for check, where in checks]
        # It finds what is wrong.
        pathlib.Path(elsewhere, "wrong.py").write_text(
            job.read_text(encoding="utf-8").replace("progress(session, 5)", "progress(session, 'x')"), encoding="utf-8"
        )
        wrong = subprocess.run([*map(str, mypy), "wrong.py"], cwd=elsewhere, capture_output=True, text=True, check=False)
        if wrong.returncode == 0 or "arg-type" not in wrong.stdout:
            sys.exit(f"the types are not seen from outside: {wrong.stdout}")
    sys.exit(1 if any(codes) else 0)


if __name__ == "__main__":
    main()
