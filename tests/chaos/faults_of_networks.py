"""Faults of networks, made by the proxies between the participants and the servers."""

from fault import Fault
from proxy import DOWN, UP


class CutClients(Fault):
    """Connections of clients end at any byte."""

    name = "cut_clients"
    how = "each TCP connection of a client is reset after some bytes: inside headers, frames, characters"
    holds = "G8: any byte may be the last of a connection"
    reconnects_min = 30
    hits_min = 10
    short = True

    async def run(self, stage, seconds):
        until = stage.now() + seconds
        while stage.now() < until:
            await stage.flowing()
            reported = len(stage.web.cuts)
            stage.web.on_link = lambda link: self._plan(stage, link)
            for link in list(stage.web.links):
                self._plan(stage, link)
            await stage.pause(2, 4)
            stage.web.heal()
            for link in list(stage.web.links):
                link.cut_after = {UP: None, DOWN: None}
            for cut in stage.web.cuts[reported:]:
                stage.hit(cut)

    @staticmethod
    def _plan(stage, link):
        direction = DOWN if stage.random.random() < 0.8 else UP
        most = stage.random.choice([300, 3_000, 20_000])
        link.cut_after[direction] = stage.random.randrange(1, most)


FAULTS = [CutClients]
