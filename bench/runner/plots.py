"""Draws what bench/RESULTS.md shows, as SVG: throughput, latency against load, CPU a delivery, memory against connections."""

import re

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot, ticker  # noqa: E402  (the back end has to be chosen first)

from servers import DAEMONS, FLOOR, NODE, NODE_REDIS, SERVE  # noqa: E402

COLOURS = {SERVE: "#1b7f5c", DAEMONS: "#4c72b0", NODE: "#c44e52", NODE_REDIS: "#dd8452", FLOOR: "#8c8c8c"}
LABELS = {
    SERVE: "serve",
    DAEMONS: "control + edge",
    NODE: "Node",
    NODE_REDIS: "Node + Redis",
    FLOOR: "floor",
}
# The same results make the same file.
matplotlib.rcParams.update({"svg.hashsalt": "sessioncast", "font.size": 9, "axes.grid": True})
matplotlib.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})


def _save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _legend(axes, title):
    """Both above what is drawn."""
    columns = len(axes.get_legend_handles_labels()[0])
    if columns:
        axes.legend(
            ncol=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, columnspacing=1.2
        )
    axes.set_title(title, pad=24)


def _bars(results, figure_name, wanted, unit, title, path, scale="linear"):
    """One group of bars for each (label, shape, what)."""
    groups = []
    for label, shape, what in wanted:
        spreads = {
            one: spread
            for one in LABELS
            if (spread := results.spread(shape, what, one, figure_name)) is not None
        }
        if spreads:
            groups.append((label, spreads))
    if not groups:
        return False
    contenders = [one for one in LABELS if any(one in spreads for _, spreads in groups)]
    figure, axes = pyplot.subplots(figsize=(7.5, 3.6))
    width = 0.8 / len(contenders)
    for i, one in enumerate(contenders):
        bars = [(at, spreads[one]) for at, (_, spreads) in enumerate(groups) if one in spreads]
        axes.bar(
            [at + (i - (len(contenders) - 1) / 2) * width for at, _ in bars],
            [spread.median for _, spread in bars],
            width,
            yerr=[
                [spread.median - spread.low for _, spread in bars],
                [spread.high - spread.median for _, spread in bars],
            ],
            color=COLOURS[one],
            label=LABELS[one],
            error_kw={"linewidth": 0.8},
        )
    axes.set_xticks(range(len(groups)), [label for label, _ in groups])
    axes.set_ylabel(unit)
    axes.set_yscale(scale)
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.yaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    axes.xaxis.grid(False)
    _legend(axes, title)
    _save(figure, path)
    return True


def throughput(results, path):
    wanted = [(shape, shape, "saturation") for shape in ("wide", "narrow")]
    return _bars(results, "rate", wanted, "deliveries a second", "Saturation (p99 within 250 ms)", path)


def publishing(results, path):
    whats = ("unary, closed loop", "unary, 64 in flight", "stream, one a message", "stream, 256 a message")
    wanted = [(what.replace(", ", "\n"), "publish", what) for what in whats]
    title = "Publishing (ours durable, the others keep nothing)"
    return _bars(results, "events_a_second", wanted, "events a second", title, path, "log")


def cpu(results, path):
    wanted = [(shape, shape, "20,000/s") for shape in ("wide", "narrow", "tokens")]
    wanted.insert(2, ("narrow,\n32 a message", "narrow", "20,000/s, 32 a message"))
    title = "CPU of the servers at 20,000 deliveries a second"
    return _bars(results, "cpu_us_a_delivery", wanted, "µs a delivery", title, path)


def latency(results, path):
    """p99 against load, from the steps on the way to saturation: a line a round."""
    figure, all_axes = pyplot.subplots(1, 2, figsize=(7.5, 3.6))
    drawn = False
    for axes, shape in zip(all_axes, ("wide", "narrow")):
        axes.set(xscale="log", yscale="log", xlabel="deliveries a second", ylabel="p99, ms")
        for one in LABELS:
            for i, measured in enumerate(results.of(shape, "saturation", one)):
                drawn = True
                rates = [rate for rate, _, _ in measured["steps"]]
                values = [step["latency_us"]["p99"] / 1_000 for _, step, _ in measured["steps"]]
                label = LABELS[one] if i == 0 else None
                axes.plot(rates, values, marker="o", markersize=3, color=COLOURS[one], label=label)
        axes.axhline(250, color="#999999", linewidth=0.8, linestyle="--")
        axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
        axes.yaxis.set_major_formatter(ticker.EngFormatter(sep=""))
        _legend(axes, shape)
    if drawn:
        _save(figure, path)
    else:
        pyplot.close(figure)
    return drawn


def _counts(results, shape, unit):
    """[(n, what)] of what is called "1,000 connections"."""
    found = set()
    for of_shape, what, _ in results.keys():
        match = re.fullmatch(rf"([\d,]+) {unit}", what)
        if of_shape == shape and match:
            found.add((int(match[1].replace(",", "")), what))
    return sorted(found)


def memory(results, path):
    counts = _counts(results, "idle", "connections")
    if not counts:
        return False
    figure, axes = pyplot.subplots(figsize=(7.5, 3.6))
    for one in (DAEMONS, NODE):
        points = []
        for count, what in counts:
            each = results.median("idle", what, one, "bytes_a_connection")
            if each is not None:
                points.append((count, count * each / 1e6))
        if points:
            axes.plot(*zip(*points), marker="o", color=COLOURS[one], label=LABELS[one])
    axes.set(xlabel="connections", ylabel="MB more than with none")
    axes.set_ylim(bottom=0)
    _legend(axes, "Memory of idle connections")
    _save(figure, path)
    return True


def growth(results, path):
    figure, all_axes = pyplot.subplots(1, 2, figsize=(7.5, 3.6), sharey=True)
    drawn = False
    for axes, unit in zip(all_axes, ("connections", "sessions")):
        counts = _counts(results, "grow", unit)
        medians = [(n, results.median("grow", what, DAEMONS, "cpu_us_a_delivery")) for n, what in counts]
        points = [(n, cpu) for n, cpu in medians if cpu is not None]
        if points:
            drawn = True
            axes.plot(*zip(*points), marker="o", color=COLOURS[DAEMONS])
        axes.set(xlabel=unit, xscale="log", ylabel="µs CPU a delivery")
        axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    if drawn:
        all_axes[0].set_ylim(0, 1.2 * all_axes[0].get_ylim()[1])
        figure.suptitle("The same rate, more of everything")
        _save(figure, path)
    else:
        pyplot.close(figure)
    return drawn


PLOTS = {
    "throughput": ("Saturation", throughput),
    "latency": ("Latency against load", latency),
    "cpu": ("CPU a delivery", cpu),
    "publish": ("Publishing", publishing),
    "memory": ("Memory against connections", memory),
    "grow": ("CPU a delivery as connections and sessions grow", growth),
}


def draw_all(results, directory):
    """[(title, path)] of those that there are figures for."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, (title, draw) in PLOTS.items():
        path = directory / f"{name}.svg"
        path.unlink(missing_ok=True)
        if draw(results, path):
            drawn.append((title, path))
    return drawn
