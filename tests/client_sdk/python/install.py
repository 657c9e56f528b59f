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


def environments(directory):
    """Without the package; made anew when their requirements are others."""
    requirements = PACKAGE / "requirements-dev.txt"
    stamp = directory / "requirements"
    if not (stamp.exists() and stamp.read_bytes() == requirements.read_bytes()):
        if not WHEELS.exists():
            sys.exit(f"{WHEELS} is not there: tools/setup --for=test fetches it")
        shutil.rmtree(directory, ignore_errors=True)
        run(PYTHON, "-m", "venv", directory / "newest")
        install(directory / "newest/bin/python", "-r", requirements)
        run(PYTHON, "-m", "venv", "--system-site-packages", directory / "debian")
        install(directory / "debian/bin/python", "pytest")
        shutil.copy(requirements, stamp)
    return [directory / name / "bin/python" for name in ("newest", "debian")]


def install(python, *what):
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", "--no-index", f"--find-links={WHEELS}", *what)


def main():
    directory = pathlib.Path(sys.argv[1]).resolve()
    stamp = directory / "digest"
    wanted = digest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    newest, debian = environments(directory)
    for old in (directory / "source", directory / "wheel"):
        shutil.rmtree(old, ignore_errors=True)
    # setuptools builds beside its source.
    source = directory / "source/client_sdk/python"
    shutil.copytree(PACKAGE, source, ignore=IGNORED)
    shutil.copytree(ROOT / "proto", directory / "source/proto")
    wheels = directory / "wheel"
    run(newest, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", wheels, source)
    (wheel,) = wheels.iterdir()
    for python in (newest, debian):
        run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "sessioncast")
        install(python, wheel)
    stamp.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
