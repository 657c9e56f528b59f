"""A terminal for tests: a pseudo-terminal, and pyte for what a person would see in it.

Threads: a test's; one of its own reads what the program writes.
"""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time

import pyte

PATIENCE_S = 60


class Screen(pyte.Screen):
    """With the alternate screen, which pyte does not have."""

    main = None

    def set_mode(self, *modes, **options):
        super().set_mode(*modes, **options)
        if 1049 in modes and self.main is None:
            self.main = (self.display, self.cursor.y, self.cursor.x)
            self.erase_in_display(2)

    def reset_mode(self, *modes, **options):
        super().reset_mode(*modes, **options)
        if 1049 in modes and self.main is not None:
            lines, y, x = self.main
            self.main = None
            self.erase_in_display(2)
            for row, line in enumerate(lines[: self.lines]):
                self.cursor_position(row + 1, 1)
                self.draw(line.rstrip())
            self.cursor_position(y + 1, x + 1)

    @property
    def is_alternate(self):
        return self.main is not None


class Terminal:
    """Runs a command in a terminal of its own, as its foreground job."""

    def __init__(self, command, columns=80, rows=24, environment=None, stderr=None):
        self._changed = threading.Condition()
        self._screen = Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._master, slave = pty.openpty()
        self._set_size(columns, rows)
        self.modes_before = termios.tcgetattr(slave)
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(environment or {})}
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave if stderr is None else stderr,
            env=env,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
        )
        self._slave = slave  # kept, so that what stands there can be read after the program has left
        self._ending = False
        self._reads = threading.Event()
        self._reads.set()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _set_size(self, columns, rows):
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self):
        while True:
            self._reads.wait()
            data = os.read(self._master, 65536)
            with self._changed:
                if self._ending and data.endswith(b"\0"):
                    return
                self.raw += data
                self._stream.feed(data)
                self._changed.notify_all()

    def text(self):
        with self._changed:
            return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    @property
    def screen(self):
        return self._screen

    def wait(self, condition, what=None):
        """Until the screen's text contains it, or it says so of the text."""
        is_met = condition if callable(condition) else lambda text: condition in text
        with self._changed:
            if not self._changed.wait_for(lambda: is_met(self._text()), PATIENCE_S):
                raise AssertionError(f"not shown: {what or condition}\n{self._text()}")
            return self._text()

    def _text(self):
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def type(self, keys):
        os.write(self._master, keys)

    def resize(self, columns, rows):
        with self._changed:
            self._screen.resize(rows, columns)
            self._set_size(columns, rows)

    def hold(self):
        """Nothing is taken from the program any more, as by a line that is stuck; what is on its way still is."""
        self._reads.clear()

    def go_on(self):
        self._reads.set()

    def typed_for_others(self):
        """How many bytes that were typed the program has left."""
        return struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))[0]

    def modes(self):
        return termios.tcgetattr(self._slave)

    def set_modes(self, modes):
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)

    def wait_for_end(self):
        """The exit code, once all it wrote is on the screen."""
        code = self.process.wait(PATIENCE_S)
        mark = b"\x1b[?%dh" % (time.monotonic_ns() % 10**9 + 10**6)  # a mode that nobody knows
        os.write(self._slave, mark)
        with self._changed:
            if not self._changed.wait_for(lambda: mark in self.raw, PATIENCE_S):
                raise AssertionError("what the program wrote does not come to an end")
            self.raw = self.raw.replace(mark, b"")
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self.go_on()
        with self._changed:
            self._ending = True
        os.write(self._slave, b"\0")
        self._reader.join(PATIENCE_S)
        os.close(self._slave)
        os.close(self._master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
