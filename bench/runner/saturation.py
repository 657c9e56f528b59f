"""How much a server takes: the last rate, rising in steps, at which it still delivers all, and in time. Pure."""

LATE_US = 250_000
DELIVERED_PART_MIN = 0.97
STEP = 1.25
STEPS_MAX = 16


def keeps_up(measured):
    """Whether a measurement of fan-out is one of a server that keeps up with its rate."""
    expected = measured["expected"]
    if expected == 0 or measured["deliveries"] < DELIVERED_PART_MIN * expected:
        return False
    return measured["latency_us"]["p99"] <= LATE_US


def search(measure, start):
    """Steps up from `start` until it does not keep up, or down until it does.

    `measure(rate)` gives a measurement of fan-out. Returns {"rate": the last good one, or 0, "steps": [(rate, measured,
    whether it kept up)]}, the steps in the order of their rates.
    """
    steps = []

    def good(rate):
        measured = measure(rate)
        steps.append((rate, measured, keeps_up(measured)))
        return steps[-1][2]

    rate = start
    factor = STEP if good(rate) else 1 / STEP
    while len(steps) < STEPS_MAX:
        rate *= factor
        if good(rate) != (factor > 1):
            break
    best = max((rate for rate, _, kept_up in steps if kept_up), default=0)
    return {"rate": best, "steps": sorted(steps, key=lambda step: step[0])}
