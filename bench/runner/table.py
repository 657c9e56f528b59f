"""Rows of figures beside their targets, as text for a terminal and as Markdown. Pure."""

import dataclasses

HEAD = ("figure", "ours", "peer", "floor", "ratio", "target", "")
MET, MISSED, NOT_MEASURED = "met", "missed", "not measured"


@dataclasses.dataclass(frozen=True)
class Row:
    """A figure of ours beside what it is held to; `met` None: it was not measured."""

    figure: str
    ours: str
    peer: str
    floor: str
    ratio: str
    target: str
    met: bool | None

    @property
    def cells(self):
        word = {True: MET, False: MISSED, None: NOT_MEASURED}[self.met]
        return (self.figure, self.ours, self.peer, self.floor, self.ratio, self.target, word)


def number(value):
    """With as many digits as say something."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.01 or value == 0 else f"{value:.4f}"


def shown(spread, unit=""):
    """ "6.1 (5.9..6.3) µs"; "–" where there is none."""
    if spread is None:
        return "–"
    text = number(spread.median)
    if spread.rounds > 1:
        text += f" ({number(spread.low)}..{number(spread.high)})"
    return f"{text} {unit}".rstrip()


def text(rows):
    """Lines, in columns."""
    cells = [HEAD, *(row.cells for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]


def markdown(rows, head=HEAD):
    """Lines."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row.cells if isinstance(row, Row) else row) + " |" for row in rows]
