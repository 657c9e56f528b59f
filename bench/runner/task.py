"""A task: one measurement of one contender, taken once a round; and what it is given."""

import dataclasses
import typing

import servers
from figures import Results


@dataclasses.dataclass
class Context:
    """What a run has."""

    place: servers.Place
    results: Results
    seconds: float  # that a fixed rate is measured for
    detail: typing.Callable[[str], None]  # says a line


@dataclasses.dataclass(frozen=True)
class Task:
    """`shape`, `what`, `contender` name it in the results."""

    shape: str
    what: str
    contender: str
    guess_s: float
    measure: typing.Callable[[Context], dict]
    said: typing.Callable[[dict], str]
    rounds_max: int = 1_000

    @property
    def key(self):
        return self.shape, self.what, self.contender

    @property
    def title(self):
        return f"{self.shape}, {self.what}: {servers.NAMES[self.contender]}"


def microseconds(us):
    """For people."""
    return f"{us:.0f} µs" if us < 1_000 else f"{us / 1_000:.1f} ms"


def said_of_fanout(measured):
    latency = measured["latency_us"]
    cpu = measured["cpu_us_a_delivery"]
    return (
        f"{measured['deliveries']:,} of {measured['expected']:,} delivered,"
        f" {'falls behind' if cpu is None else f'{cpu:.1f} µs CPU each'},"
        f" p50 {microseconds(latency['p50'])}, p99 {microseconds(latency['p99'])}"
    )
