"""Faults of processes: killed, stopped, started twice."""

import asyncio
import signal

from fault import Fault


class KillControl(Fault):
    """kill -9 of control."""

    name = "kill_control"
    how = "kill -9 of control at a random moment, then a new one on its store"
    holds = "G1 G5 G6 G8: what was acknowledged is there, no position names two events"
    short = True

    async def strike(self, stage):
        unknown = stage.count("unknown")
        acked = stage.count("acked")
        code = await stage.control.kill()
        await stage.pause(0, 0.8)
        await stage.control.start()
        await stage.flowing()
        lost = stage.count("unknown") - unknown
        if code == -signal.SIGKILL:
            stage.hit(f"control ended by signal 9 after {acked} events, {lost} calls unknown")


class KillEdge(Fault):
    """kill -9 of the edge."""

    name = "kill_edge"
    how = "kill -9 of the edge at a random moment, then a new one on its port"
    holds = "G1 G8: clients come back by themselves, with nothing missing and nothing twice"
    reconnects_min = 20
    short = True

    async def strike(self, stage):
        connected = stage.count("connected")
        code = await stage.edge.kill()
        await stage.pause(0, 0.8)
        await stage.edge.start()
        await stage.flowing()
        if code == -signal.SIGKILL and connected > 0:
            stage.hit(f"the edge ended by signal 9 with {connected} clients")


class KillAll(Fault):
    """kill -9 of everything at once."""

    name = "kill_all"
    how = "kill -9 of control and edge in one moment, then new ones in either order"
    holds = "G1 G5 G8"
    reconnects_min = 20

    async def strike(self, stage):
        stage.control.program.signal(signal.SIGKILL)
        codes = [await stage.edge.kill(), await stage.control.kill()]
        await stage.pause(0, 0.5)
        servers = [stage.control, stage.edge]
        stage.random.shuffle(servers)
        for server in servers:
            await server.start()
            await stage.pause(0, 0.5)
        await stage.flowing()
        if codes == [-signal.SIGKILL] * 2:
            stage.hit(f"both ended by signal 9; {servers[0].name} was back first")


class Stopped(Fault):
    """SIGSTOP of a server; a subclass says of which, and how long."""

    stopped_s = (1, 1)

    def server(self, stage):
        raise NotImplementedError

    async def strike(self, stage):
        program = self.server(stage).program
        acked, delivered = stage.count("acked"), stage.count("delivered")
        program.signal(signal.SIGSTOP)
        await asyncio.sleep(0.3)  # what was in flight is counted
        started = stage.now()
        before = (stage.count("acked"), stage.count("delivered"))
        await stage.pause(*self.stopped_s)
        during = (stage.count("acked") - before[0], stage.count("delivered") - before[1])
        program.signal(signal.SIGCONT)
        seconds = stage.now() - started
        await stage.flowing()
        stage.hit(
            f"{program.name} stood still for {seconds:.1f} s after {acked} acks and {delivered}"
            f" deliveries; meanwhile {during[0]} and {during[1]}"
        )


class StopControl(Stopped):
    """Control stands still for a second."""

    name = "stop_control"
    how = "SIGSTOP of control for 1 s, then SIGCONT"
    holds = "no false ack, no duplicate after"
    short = True

    def server(self, stage):
        return stage.control


class StopEdge(Stopped):
    """The edge stands still for a second."""

    name = "stop_edge"
    how = "SIGSTOP of the edge for 1 s, then SIGCONT"
    holds = "no duplicate after; clients that left come back"

    def server(self, stage):
        return stage.edge


FAULTS = [KillControl, KillEdge, KillAll, StopControl, StopEdge]
