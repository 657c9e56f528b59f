"""Calls bench_load, and bench_floor for the disk: each gives one JSON object."""

import json
import os
import signal
import subprocess
import tempfile

import servers
from processes import Failure

# Beyond the seconds that it measures: connecting, and what is still on its way.
PATIENCE_S = 90


def _flags(named):
    return [f"--{name}={value:g}" if isinstance(value, float) else f"--{name}={value}" for name, value in named.items()]


def call(place, program, words, seconds):
    """Its JSON object."""
    command = [str(place.binaries / program), *words]
    with tempfile.TemporaryFile(dir=place.directory) as said:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
        try:
            output, _ = process.communicate(timeout=seconds + PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{program} did not end. Try it by hand: {' '.join(command)}") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(0)
        tail = said.read().decode(errors="replace").replace("\r", "\n").strip().splitlines()[-5:]
    if process.returncode != 0:
        text = "\n".join(f"  {line}" for line in tail)
        raise Failure(
            f"{program} ended with {process.returncode}:\n{text}\nTry it by hand: {' '.join(command)}"
        )
    return json.loads(output)


def fanout(place, contender, rate, seconds, warm_up_s=1.5, payload_bytes=250, burst=1, **flags):
    """Events to subscribers, at a fixed rate of events, on a fresh server."""
    with servers.start(contender, place, servers.OwnEvents(rate, payload_bytes, burst)) as server:
        return fanout_on(place, server, rate, seconds, warm_up_s, payload_bytes, burst, **flags)


def fanout_on(place, server, rate, seconds, warm_up_s=1.5, payload_bytes=250, burst=1, **flags):
    named = {"edge": server.edge, "rate": float(rate), "seconds": seconds, "warm_up_s": warm_up_s}
    named |= {"payload_bytes": payload_bytes, "burst": burst, "publish": "stream", **flags}
    if server.control:
        named["control"] = server.control
    named["pids"] = ",".join(map(str, server.pids))
    return call(place, "bench_load", ["fanout", *_flags(named)], seconds + warm_up_s)


def publish(place, contender, seconds, **flags):
    """Publishers alone, as fast as answers come."""
    with servers.start_for_publishers(contender, place) as server:
        return publish_on(place, server, seconds, **flags)


def publish_on(place, server, seconds, **flags):
    named = {"control": server.control, "seconds": seconds, "payload_bytes": 250, **flags}
    named["pids"] = ",".join(map(str, server.pids))
    return call(place, "bench_load", ["publish", *_flags(named)], seconds)


def idle(place, contender, **flags):
    """Connections that do nothing."""
    with servers.start(contender, place) as server:
        named = {"edge": server.edge, "pids": ",".join(map(str, server.pids)), **flags}
        return call(place, "bench_load", ["idle", *_flags(named)], 60)


def fdatasync(place, seconds):
    """What the disk itself takes: {"p50": us, "p99": us, "calls_a_second": n}."""
    words = ["fdatasync", f"--directory={place.fresh()}", f"--seconds={seconds:g}"]
    return call(place, "bench_floor", words, seconds)
