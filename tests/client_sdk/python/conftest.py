"""Real servers for the tests: `sessioncast-control` of SESSIONCAST_BIN, on ports that the system picks."""

import os
import pathlib
import re
import subprocess
import threading
import uuid

import pytest

BIN = pathlib.Path(os.environ["SESSIONCAST_BIN"])
PATIENCE_S = 60


class Control:
    """A running control."""

    def __init__(self, *flags):
        command = [BIN / "sessioncast-control", "--grpc_listen=127.0.0.1:0", "--store=memory", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.output = []
        for line in self.process.stdout:
            self.output.append(line)
            if match := re.search(r"control listening on (127\.0\.0\.1:\d+)", line):
                self.address = match[1]
                break
        else:
            raise AssertionError("".join(self.output))
        # A pipe that nobody reads would stop it.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0


@pytest.fixture
def start_control():
    started = []

    def start(*flags):
        started.append(Control(*flags))
        return started[-1]

    yield start
    for control in started:
        if control.process.poll() is None:
            control.stop()


@pytest.fixture(scope="session")
def control():
    """The address of one that all tests share."""
    running = Control()
    yield running.address
    running.stop()


@pytest.fixture
def session():
    return f"test-{uuid.uuid4()}"
