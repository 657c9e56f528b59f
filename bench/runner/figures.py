"""What came of the measurements: by shape, figure and contender, a value a round; medians and spread. Pure."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Spread:
    """A figure over the rounds."""

    median: float
    low: float
    high: float
    rounds: int

    @staticmethod
    def of(values):
        """None, if there are none."""
        if not values:
            return None
        return Spread(statistics.median(values), min(values), max(values), len(values))


def at(measured, path):
    """A figure of a JSON object: "latency_us.p99"; None if it is not there."""
    for name in path.split("."):
        if not isinstance(measured, dict) or name not in measured:
            return None
        measured = measured[name]
    return measured


class Results:
    """All that was measured so far."""

    def __init__(self):
        self._measured = {}  # (shape, what, contender): JSON objects, one a round

    def add(self, key, measured):
        self._measured.setdefault(key, []).append(measured)

    def of(self, shape, what, contender):
        return self._measured.get((shape, what, contender), [])

    def spread(self, shape, what, contender, path):
        """Of one figure over the rounds; None if it was not measured."""
        values = [at(measured, path) for measured in self.of(shape, what, contender)]
        return Spread.of([value for value in values if value is not None])

    def median(self, shape, what, contender, path):
        spread = self.spread(shape, what, contender, path)
        return spread.median if spread else None

    def keys(self):
        return list(self._measured)

    def as_json(self):
        return [
            {"shape": shape, "what": what, "contender": contender, "rounds": rounds}
            for (shape, what, contender), rounds in self._measured.items()
        ]
