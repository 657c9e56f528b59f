"""What a fault of tools/chaos is."""


class Fault:
    """One kind of fault. `how` it is made and what must `hold` are printed; hit() of the stage is its evidence."""

    name = ""
    how = ""
    holds = ""
    hits_min = 2
    reconnects_min = 0
    allows = ()
    between_s = (0.5, 2.5)
    seconds = 20
    late_s_max = 60  # after that it strikes no more, whether it proved something or not
    left_out = None  # why it runs by name only
    once = False  # whether `tools/chaos --minutes` takes it in its first round only
    short = False  # whether it belongs to `tools/chaos --short`

    @staticmethod
    def cannot(binaries):
        """Why it cannot be made on this machine, of these programs; or None."""
        del binaries
        return None

    async def prepare(self, stage):
        """Before the servers start."""

    async def clear_away(self, stage):
        """What prepare() made, after all have ended."""

    async def run(self, stage, seconds):
        """Strikes again and again for about so long, and until it has struck enough to prove something."""
        until = stage.now() + seconds
        late = until + self.late_s_max
        while stage.now() < until or (len(stage.hits) < self.hits_min and stage.now() < late):
            await stage.flowing()
            await stage.pause(*self.between_s)
            await self.strike(stage)

    def judge(self, stage, history):
        """What is wrong by the histories of all, beside what the checker finds; in words."""
        del stage, history
        return []

    async def strike(self, stage):
        """Once; everything is healed when it returns."""
        raise NotImplementedError
