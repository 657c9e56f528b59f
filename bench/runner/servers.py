"""The servers that are measured, by the names of their columns; each starts fresh, on ports of the system's choice."""

import contextlib
import dataclasses
import os
import pathlib
import tempfile
import time
import urllib.error
import urllib.request

from processes import LOOK_EVERY_S, START_S_MAX, Failure, running

ROOT = pathlib.Path(__file__).resolve().parents[2]

SERVE = "serve"  # ours: control and edge in one process
DAEMONS = "daemons"  # ours: two processes
NODE = "node"
NODE_REDIS = "node_redis"
FLOOR = "floor"
OURS = (SERVE, DAEMONS)
NAMES = {
    SERVE: "sessioncast serve",
    DAEMONS: "sessioncast-control + sessioncast-edge",
    NODE: "Node Socket.IO 4.8 + grpc-js",
    NODE_REDIS: "the same with @socket.io/redis-adapter",
    FLOOR: "the floor",
}
IN_MEMORY = {"tmpfs", "ramfs", "overlay"}


@dataclasses.dataclass
class Server:
    """One that serves."""

    edge: str = None  # HOST:PORT of Socket.IO
    control: str = None  # HOST:PORT of SessionService; None: it makes its events itself
    programs: tuple = ()

    @property
    def pids(self):
        return [pid for program in self.programs for pid in program.pids()]


@dataclasses.dataclass
class Place:
    """Where programs are, and where a measurement may write."""

    binaries: pathlib.Path
    directory: pathlib.Path  # of the run; each server has its own below it

    def fresh(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.directory))


def file_system_of(directory):
    """(type, device) of the file system that a directory is on."""
    best = ("", "?", "?")
    for line in pathlib.Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        device, point, kind = line.split()[:3]
        inside = os.path.commonpath([point, str(directory)]) == point
        if inside and len(point) >= len(best[0]):
            best = (point, kind, device)
    return best[1], best[2]


def check_disk(directory):
    """Durable figures need a disk."""
    kind, _ = file_system_of(directory)
    if kind in IN_MEMORY:
        raise Failure(
            f"{directory} is on {kind}, which keeps nothing: say a directory on a disk by --store_in=DIR"
        )


def _until_ready(program, port):
    deadline = time.monotonic() + START_S_MAX
    while True:
        with contextlib.suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        if not program.running or time.monotonic() > deadline:
            raise Failure(f"{program.name} does not get ready:\n{program.tail()}")
        time.sleep(LOOK_EVERY_S)


def _listens(program, part):
    return int(program.line(rf"{part} listening on 127\.0\.0\.1:(\d+)")[1])


def control_command(place, directory):
    store = f"--store=rocksdb:{directory / 'store'}"
    return [place.binaries / "sessioncast-control", "--grpc_listen=localhost:0", store]


def edge_command(place, control, listen="localhost:0"):
    return [place.binaries / "sessioncast-edge", f"--http_listen={listen}", f"--control={control}"]


@contextlib.contextmanager
def control_alone(place):
    """Our control, for publishers."""
    directory = place.fresh()
    with running("control", control_command(place, directory), directory / "control.log") as control:
        yield Server(None, f"127.0.0.1:{_listens(control, 'control')}", (control,))


@contextlib.contextmanager
def daemons(place):
    with control_alone(place) as control:
        directory = place.fresh()
        command = edge_command(place, control.control)
        with running("edge", command, directory / "edge.log") as edge:
            port = _listens(edge, "edge")
            _until_ready(edge, port)
            yield Server(f"127.0.0.1:{port}", control.control, (*control.programs, edge))


@contextlib.contextmanager
def serve(place):
    directory = place.fresh()
    command = [place.binaries / "sessioncast", "serve", "--grpc_listen=localhost:0"]
    command += ["--http_listen=localhost:0", f"--store=rocksdb:{directory / 'store'}"]
    with running("serve", command, directory / "serve.log") as program:
        control, port = _listens(program, "control"), _listens(program, "edge")
        _until_ready(program, port)
        yield Server(f"127.0.0.1:{port}", f"127.0.0.1:{control}", (program,))


@contextlib.contextmanager
def node(place, flags=()):
    command = [ROOT / "bench/peers/node/start", *flags]
    with running("node", command, place.fresh() / "node.log") as program:
        control, port = program.line(r"^grpc (\d+)$")[1], program.line(r"^http (\d+)$")[1]
        yield Server(f"127.0.0.1:{port}", f"127.0.0.1:{control}", (program,))


@contextlib.contextmanager
def floor_fanout(place, events):
    command = [place.binaries / "bench_floor", "fanout", f"--rate={events.rate:g}"]
    command += [f"--payload_bytes={events.payload_bytes}", f"--burst={events.burst}"]
    with running("floor", command, place.fresh() / "floor.log") as program:
        yield Server(f"127.0.0.1:{program.line(LISTENS)[1]}", None, (program,))


@contextlib.contextmanager
def floor_grpc(place):
    command = [place.binaries / "bench_floor", "grpc"]
    with running("floor", command, place.fresh() / "floor.log") as program:
        yield Server(None, f"127.0.0.1:{program.line(LISTENS)[1]}", (program,))


LISTENS = r"^listening on (?:\S+:)?(\d+)$"


@dataclasses.dataclass(frozen=True)
class OwnEvents:
    """What the floor makes, who has no publishers."""

    rate: float = 1
    payload_bytes: int = 250
    burst: int = 1


def start(contender, place, events=OwnEvents()):
    """A server for fan-out."""
    if contender == FLOOR:
        return floor_fanout(place, events)
    if contender == NODE_REDIS:
        return node(place, ["--redis"])
    return {SERVE: serve, DAEMONS: daemons, NODE: node}[contender](place)


def start_for_publishers(contender, place):
    """A server that nobody is subscribed at."""
    return {DAEMONS: control_alone, NODE: node, FLOOR: floor_grpc}[contender](place)
