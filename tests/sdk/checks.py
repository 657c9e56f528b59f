"""What must hold of what the drivers printed, and of the log that was there at the end."""


def all_accepted(outcomes, events):
    """Each event has its outcome, in order, and it is a position."""
    assert [line["n"] for line in outcomes] == list(range(events)), "not one line for each event, in order"
    refused = [line for line in outcomes if "error" in line]
    assert not refused, f"{len(refused)} were refused, first {refused[0]}"


def acknowledged_once(outcomes, log):
    """What has a position is there, and nowhere else."""
    places = {}
    for epoch, sequence, kind, number in log:
        if kind == "custom" and number is not None:
            places.setdefault(number, []).append((epoch, sequence))
    for line in outcomes:
        if "error" not in line:
            expected = [(line["epoch"], line["sequence"])]
            assert places.get(line["n"]) == expected, f"{line} is at {places.get(line['n'])}"


def in_order(log, events):
    """The log holds n = 0, 1, 2 ... and the end, and its sequences have no gap."""
    numbers = [number for _, _, kind, number in log if kind == "custom"]
    assert numbers == list(range(events)), f"the order of the log: {numbers}"
    assert [sequence for _, sequence, _, _ in log] == list(range(1, len(log) + 1)), "gaps in the log"


def reading(lines, log, after=None, whole=False):
    """Strictly increasing, each gap declared, each event as it is in the log, up to the session's end. `after`: where the
    reader or its resync began; `whole`: nothing may be skipped.
    """
    truth = {(epoch, sequence): (kind, number) for epoch, sequence, kind, number in log}
    epoch, last = after or (log[0][0], 0)
    for line in lines:
        if "resync" in line:
            assert not whole, f"a resync: {line}"
            epoch, last = line["resync"]["epoch"], line["resync"]["sequence"]
            continue
        skipped = line.get("skipped", 0)
        assert not (whole and skipped), f"skipped, where nothing may be: {line}"
        assert line["epoch"] == epoch, f"another epoch than {epoch}: {line}"
        assert line["sequence"] == last + 1 + skipped, f"{line} after {last}"
        last = line["sequence"]
        if (epoch, last) in truth or not after:
            assert truth[epoch, last] == (line["kind"], line.get("n")), f"{line}, but the log: {truth[epoch, last]}"
    assert (epoch, last) == log[-1][:2], f"the reader ended at {last}, the session at {log[-1][1]}"
