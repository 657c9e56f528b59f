"""bench_load beside a run: publishers whose figures count, and whose sessions no history has."""

import json
import pathlib

from programs import Program, sanitized

SECONDS_MAX = 120


def cannot(binaries):
    """Why it cannot measure these programs; or None."""
    if sanitized(binaries):
        return "its figures are of no use with sanitizers"
    if not pathlib.Path(binaries, "bench_load").exists():
        return "bench_load is not beside the programs: build it"
    return None


async def publish(stage, command, **flags):
    """What `bench_load COMMAND` found when it published to control."""
    flags = {"control": f"127.0.0.1:{stage.control.port}", **flags}
    words = [f"--{name}={value}" for name, value in flags.items()]
    program = await Program.start(
        "bench_load",
        [stage.binaries / "bench_load", command, *words],
        stage.directory / "bench_load.log",
    )
    try:
        code = await program.wait(SECONDS_MAX)
    finally:
        await program.kill()
    if code != 0:
        raise RuntimeError(f"bench_load ended with {code}\n{program.tail()}")
    return json.loads(program.lines[-1])
