"""Faults of processes: killed, paused, restarted in turn, started twice."""

import asyncio
import signal

from fault import Fault
from programs import Program


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


class Paused(Fault):
    """SIGSTOP of a server: 1 s mostly, sometimes 10 s; a subclass says of which, or for how long."""

    often_s, seldom_s = 1, 10
    seconds = 40
    until = 0

    def server(self, stage):
        raise NotImplementedError

    async def run(self, stage, seconds):
        self.until = stage.now() + seconds
        await super().run(stage, seconds)

    def pause_s(self, stage):
        seldom = self.until - stage.now() > self.seldom_s and stage.random.random() < 0.3
        return self.seldom_s if seldom else self.often_s

    def others_take_over(self, stage):
        """While it stands still; what they took is said by what this returns."""
        return lambda: ""

    async def strike(self, stage):
        program, seconds = self.server(stage).program, self.pause_s(stage)
        program.signal(signal.SIGSTOP)
        moved = self.others_take_over(stage)
        await asyncio.sleep(0.3)  # what was in flight is counted
        before = (stage.count("acked"), stage.count("delivered"))
        started = stage.now()
        await asyncio.sleep(seconds)
        stood = program.state == "T"
        during = (stage.count("acked") - before[0], stage.count("delivered") - before[1])
        taken = moved()
        program.signal(signal.SIGCONT)
        seconds = stage.now() - started
        await stage.flowing()
        if stood:
            stage.hit(
                f"{program.name} stood still for {seconds:.1f} s; meanwhile {during[0]} acks and"
                f" {during[1]} deliveries{taken}"
            )


class PauseControl(Paused):
    """Control stands still."""

    name = "pause_control"
    how = "SIGSTOP of control for 1 s, sometimes 10 s, then SIGCONT"
    holds = "no false ack, no duplicate after"
    short = True

    def server(self, stage):
        return stage.control


class PauseEdge(Paused):
    """The edge stands still, and another is there."""

    name = "pause_edge"
    how = "SIGSTOP of one of two edges for 1 s, sometimes 10 s, then SIGCONT; who connects meanwhile comes to the other"
    holds = "clients move to the other edge; no false ack, no duplicate after"

    async def run(self, stage, seconds):
        await stage.add_edges(1)
        await super().run(stage, seconds)

    def server(self, stage):
        return stage.edge_of_clients

    def others_take_over(self, stage):
        before = stage.web.target
        stage.next_edge_for_clients()
        linked = stage.web.count(before)

        def moved():
            there = stage.web.count(stage.web.target)
            if self.often_s > 10 and not there:
                stage.wrong.append("nobody came to the other edge")
            return f"; of {linked} connections {there} are at the other edge"

        return moved


class PauseControl60(PauseControl):
    """Control stands still for a minute."""

    name = "pause_control_60"
    how = "SIGSTOP of control for 60 s, then SIGCONT"
    often_s = 60
    hits_min = 1
    seconds = 1
    once = True
    short = False


class PauseEdge60(PauseEdge):
    """The edge stands still for a minute."""

    name = "pause_edge_60"
    how = "SIGSTOP of one of two edges for 60 s, then SIGCONT; who connects meanwhile comes to the other"
    often_s = 60
    hits_min = 1
    seconds = 1
    once = True


class RollingRestart(Fault):
    """Three edges are restarted, one after the other."""

    name = "rolling_restart"
    how = "SIGTERM of each of three edges in turn while the clients are there, then a new one; they come to the next"
    holds = "each ends with 0 in time; nothing missing, nothing twice"
    stopped_within_s = 10  # edges give up their clients after a few seconds; the rest is for a busy machine
    hits_min = 3
    reconnects_min = 20

    async def run(self, stage, seconds):
        await stage.add_edges(2)
        await super().run(stage, seconds)

    async def strike(self, stage):
        edge, linked = stage.edge_of_clients, len(stage.web.links)
        port = edge.port
        stage.next_edge_for_clients()
        started = stage.now()
        code = await edge.program.stop()
        seconds = stage.now() - started
        if code != 0 or seconds > self.stopped_within_s:
            stage.wrong.append(f"{edge.name} ended with {code} after {seconds:.1f} s of SIGTERM")
        await edge.start()
        await stage.flowing()
        if linked > 0:
            stage.hit(
                f"{edge.name} ended with {code} in {seconds:.1f} s with {linked} connections;"
                f" {stage.web.count(stage.web.target)} are at the next, {stage.web.count(port)} left"
            )


class SecondControl(Fault):
    """Another control is started on a store that is in use."""

    name = "second_control"
    how = "a second control on the store of the first, with a port of its own"
    holds = "it ends at once, with an error that says so; the first goes on unharmed"
    short = True
    ends_within_s = 30
    seconds = 10

    async def strike(self, stage):
        first = stage.control.program
        second = await Program.start(
            "second-control", stage.control_command(), stage.directory / "second-control.log"
        )
        started = stage.now()
        code = await second.wait(self.ends_within_s)
        said = next((line for line in second.lines if "is in use by another process" in line), None)
        if code <= 0 or said is None:
            stage.wrong.append(f"a second control on the store ended with {code}\n{second.tail()}")
        acked = stage.count("acked")
        await stage.flowing()
        if first.running and stage.control.program is first:
            seconds, more = stage.now() - started, stage.count("acked") - acked
            stage.hit(f"the second ended with {code} in {seconds:.1f} s; the first took {more} more")


FAULTS = [
    KillControl,
    KillEdge,
    KillAll,
    PauseControl,
    PauseEdge,
    PauseControl60,
    PauseEdge60,
    RollingRestart,
    SecondControl,
]
