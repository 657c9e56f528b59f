"""Makes the stubs of sessioncast.v1 into the package while it is built."""

import pathlib
import shutil
import subprocess

from setuptools import setup
from setuptools.command.build_py import build_py

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
FILES = [f"sessioncast/v1/{name}.proto" for name in ("event", "session_service")]


class BuildWithStubs(build_py):
    """The package, and the stubs that protoc makes beside it."""

    def run(self) -> None:
        """Copies the package, then runs protoc."""
        super().run()
        plugin = shutil.which("grpc_python_plugin")
        if plugin is None or shutil.which("protoc") is None:
            raise SystemExit("needs Debian's protobuf-compiler and protobuf-compiler-grpc")
        self.mkpath(self.build_lib)
        arguments = [f"--{kind}_out={self.build_lib}" for kind in ("python", "pyi", "grpc_python")]
        subprocess.run(
            [
                "protoc",
                f"-I{PROTO}",
                f"--plugin=protoc-gen-grpc_python={plugin}",
                *arguments,
                *FILES,
            ],
            check=True,
        )


setup(cmdclass={"build_py": BuildWithStubs})
