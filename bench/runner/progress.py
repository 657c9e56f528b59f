"""Says what runs, how many of how many, and about how many seconds are left."""

import sys
import time


def duration(seconds):
    """For people: "95 s", "12 min"."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class Progress:
    """Of tasks whose seconds were guessed before; the guesses are corrected by what the finished ones took."""

    def __init__(self, guesses_s, say=None, now=time.monotonic):
        self._left_s = sum(guesses_s)
        self._count = len(guesses_s)
        self._done = 0
        self._done_guessed_s = 0.0
        self._done_took_s = 0.0
        self._say = say or (lambda text: print(text, file=sys.stderr, flush=True))
        self._now = now
        self._began = None

    def seconds_left(self):
        if self._done_guessed_s == 0:
            return self._left_s
        return self._left_s * self._done_took_s / self._done_guessed_s

    def begin(self, what):
        self._began = self._now()
        left = duration(self.seconds_left())
        self._say(f"[bench] {self._done + 1} of {self._count}: {what}    (about {left} left)")

    def detail(self, text):
        self._say(f"[bench]     {text}")

    def end(self, guess_s, said):
        """The task is done, and gave what `said` says in a line."""
        self._done += 1
        self._done_guessed_s += guess_s
        self._done_took_s += self._now() - self._began
        self._left_s -= guess_s
        if said:
            self.detail(said)
