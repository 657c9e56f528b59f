#!/usr/bin/env python3
"""install.py DIRECTORY: builds the wheel of client_sdk/python and installs it into two environments of their own,
DIRECTORY/debian (with Debian's grpcio and protobuf) and DIRECTORY/newest (with those of requirements-dev.txt, and the
tools), without the network. Does nothing if nothing has changed since.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "client_sdk/python"
WHEELS = ROOT / ".cache/python_sdk"
PYTHON = "/usr/bin/python3"  # whose packages Debian's are
IGNORED = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", ".*_cache")


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL)


def digest():
    """Of all that the environments are made of."""
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.glob("*.t*"), PACKAGE / "README.md", *(ROOT / "proto").rglob("*.proto")]
    found = hashlib.sha256()
    for file in sorted({*files, pathlib.Path(__file__)}):
        if file.relative_to(ROOT).parts[:3] != ("client_sdk", "python", "build"):
            found.update(f"{file}\0".encode() + file.read_bytes())
    return found.hexdigest()


def environment(directory, *flags):
    run(PYTHON, "-m", "venv", *flags, directory)
    return directory / "bin/python"


def install(python, *what):
    run(python, "-m", "pip", "install", "--quiet", "--no-index", f"--find-links={WHEELS}", *what)


def main():
    directory = pathlib.Path(sys.argv[1]).resolve()
    stamp = directory / "digest"
    wanted = digest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if not WHEELS.exists():
        sys.exit(f"{WHEELS} is not there: tools/setup --for=test fetches it")
    shutil.rmtree(directory, ignore_errors=True)
    # setuptools builds beside its source.
    source = directory / "source/client_sdk/python"
    shutil.copytree(PACKAGE, source, ignore=IGNORED)
    shutil.copytree(ROOT / "proto", directory / "source/proto")
    newest = environment(directory / "newest")
    install(newest, "-r", PACKAGE / "requirements-dev.txt")
    run(newest, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", directory, source)
    (wheel,) = directory.glob("sessioncast-*.whl")
    install(newest, wheel)
    debian = environment(directory / "debian", "--system-site-packages")
    install(debian, wheel, "pytest")
    stamp.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
