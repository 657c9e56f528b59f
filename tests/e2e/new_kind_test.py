"""A new kind of event touches the proto and two source files: new_kind.patch adds one to a copy, which then compiles.

Run with the build directory, whose compile_commands.json says how each file is compiled.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATCH = ROOT / "tests/e2e/new_kind.patch"
BUILD = pathlib.Path(sys.argv.pop()).resolve()
ROOMS = ("proto", "control", "edge", "tools")
EVENT_PROTO = "proto/sessioncast/v1/event.proto"


def touched_files():
    return re.findall(r"^\+\+\+ b/(\S+)$", PATCH.read_text(encoding="utf-8"), re.MULTILINE)


def run(*command, cwd):
    # Outside of any repository, so that git takes the patch as it stands.
    environment = dict(os.environ, GIT_CEILING_DIRECTORIES=str(cwd.parent))
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def compile_command(source, copy, generated):
    """How the build compiles `source`, with the copy's sources and generated files in front."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8")):
        if pathlib.Path(entry["file"]) == ROOT / source:
            words = [word for word in shlex.split(entry["command"]) if not word.endswith("ccache")]
            output = words.index("-o")
            del words[output : output + 2]
            words = [
                (
                    str(copy / source)
                    if word == entry["file"]
                    else word.replace(f"-I{ROOT}", f"-I{copy}") if word == f"-I{ROOT}" else word
                )
                for word in words
            ]
            return [
                words[0],
                f"-I{generated}",
                *words[1:],
                "-Werror=switch",
                "-fsyntax-only",
            ], entry["directory"]
    raise AssertionError(f"the build does not compile {source}")


class NewKindTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="sessioncast-kind-")
        self.addCleanup(directory.cleanup)
        self.copy = pathlib.Path(directory.name, "copy")
        for room in ROOMS:
            shutil.copytree(
                ROOT / room, self.copy / room, ignore=shutil.ignore_patterns("node_modules")
            )
        self.generated = self.copy / "generated"
        self.generated.mkdir()

    def must(self, *command, cwd=None):
        result = run(*command, cwd=cwd or self.copy)
        self.assertEqual(result.returncode, 0, f"{shlex.join(map(str, command))}\n{result.stdout}")

    def compile_touched(self):
        self.must("protoc", "-Iproto", f"--cpp_out={self.generated}", EVENT_PROTO)
        for source in touched_files():
            if source.endswith(".cc"):
                command, directory = compile_command(source, self.copy, self.generated)
                self.must(*command, cwd=pathlib.Path(directory))

    def test_a_new_kind_touches_two_source_files_and_the_proto(self):
        touched = touched_files()
        self.assertIn(EVENT_PROTO, touched)
        self.assertEqual(len(touched), 3, touched)
        self.must("git", "apply", "--check", str(PATCH))
        self.must("git", "apply", str(PATCH))
        self.compile_touched()

    def test_the_two_source_files_are_those_that_the_compiler_asks_for(self):
        self.must("git", "apply", f"--include={EVENT_PROTO}", str(PATCH))
        with self.assertRaisesRegex(AssertionError, "enumeration value"):
            self.compile_touched()


if __name__ == "__main__":
    unittest.main()
