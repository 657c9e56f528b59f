"""`sessioncast serve` for the tool's tests, and the tool itself."""

import errno
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading

PATIENCE_S = 60

# Leaks in libraries that are not ours; one of ours makes the exit code 1.
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
os.environ["LSAN_OPTIONS"] = f"suppressions={ROOT}/tests/support/leaks_of_libraries.txt:print_suppressions=0"


class Port:
    """One that the system picked, kept from everybody else while who listens there is away.

    A socket that is bound and does not listen: connections are refused, and a listener may bind beside it.
    """

    def __init__(self):
        while True:
            self._sockets = [self._bound(socket.AF_INET, "127.0.0.1", 0)]
            self.number = self._sockets[0].getsockname()[1]
            try:
                self._sockets.append(self._bound(socket.AF_INET6, "::1", self.number))
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    return  # a machine without IPv6
                self.close()  # somebody has it there

    @staticmethod
    def _bound(family, address, number):
        bound = socket.socket(family)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((address, number))
        except OSError:
            bound.close()
            raise
        return bound

    def close(self):
        for bound in self._sockets:
            bound.close()


class Serve:
    """On ports of its own, also after a kill; with a store on disk."""

    def __init__(self, bin_directory):
        self.tool = str(bin_directory / "sessioncast")
        self._ports = [Port(), Port()]
        self.control, self._http = (f"localhost:{port.number}" for port in self._ports)
        self._directory = tempfile.TemporaryDirectory(prefix="sessioncast-tool-")
        self.start()

    def start(self):
        store = pathlib.Path(self._directory.name) / "store"
        self._process = subprocess.Popen(
            [
                self.tool,
                "serve",
                f"--grpc_listen={self.control}",
                f"--http_listen={self._http}",
                f"--store=rocksdb:{store}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for part in ("control", "edge"):
            self._wait_until_it_listens(part)
        self._log = threading.Thread(target=self._process.stdout.read)
        self._log.start()

    def _wait_until_it_listens(self, part):
        for line in self._process.stdout:
            if re.search(part + r" listening on 127\.0\.0\.1:\d+", line):
                return
        raise AssertionError("the server ended")

    def kill(self):
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._log.join(PATIENCE_S)
        self._process.stdout.close()

    def run(self, *arguments, **options):
        """The tool to its end, at this control."""
        return subprocess.run(
            [self.tool, *arguments, f"--control={self.control}"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            **options,
        )

    def publish(self, session, *events):
        """Events as JSON, in order, stored when it returns."""
        lines = "".join(json.dumps(event) + "\n" for event in events)
        done = self.run("publish", session, input=lines)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def close(self):
        try:
            if self._process.poll() is None:
                self._process.terminate()
                if self._process.wait(PATIENCE_S) != 0:
                    raise AssertionError(f"the server ended with {self._process.returncode}")
                self._log.join(PATIENCE_S)
        finally:
            if self._process.poll() is None:
                self.kill()
            self._process.stdout.close()
            for port in self._ports:
                port.close()
            self._directory.cleanup()


def progress(percent, status="PROCESSING", **more):
    return {"progress": {"progress": percent, "status": f"SESSION_STATUS_{status}", **more}}


def model(name, result, status="PROCESSING", duration_ms=1_200, provider="ollama", **more):
    return {
        "modelResult": {
            "modelName": name,
            "provider": provider,
            "duration": str(duration_ms),
            "result": result,
            "status": f"MODEL_RESULT_STATUS_{status}",
            **more,
        }
    }


def custom(name, data):
    return {"custom": {"name": name, "data": data}}


def completed(result):
    return {"completed": {"result": result}}
