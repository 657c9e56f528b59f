"""Bugs that the simulations must find: each a few words of one source file of control or edge, changed.

    planted_bugs.py --list                 NAME FILE, a line each
    planted_bugs.py --plant NAME OUT       writes the changed source file
    planted_bugs.py --find DIRECTORY ROOM  runs each simulation_NAME of control or edge there (of edge, also simulation_edge
                                           with each of its failpoints): a table, and an error if a bug was not found
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEEDS_MAX = 10_000
FIND_S_MAX = 300

# The edge's own failpoints (edge/broken_rule.h) of which the simulation can tell.
BROKEN_RULES = [
    "ack_before_subscribed",
    "cursor_at_enqueue",
    "no_cursor_on_subscribed",
    "cursor_on_some_events",
    "cursor_at_top_before_fold",
    "resubscribe_restarts_fold",
    "empty_cursor_recovers",
]

# Name: file, the words in it, what is there instead.
BUGS = {
    "acks_before_durable": (
        "control/session.cc",
        "const uint64_t through = history.durable();",
        "const uint64_t through = history.assigned();",
    ),
    "duplicate_before_durable": (
        "control/history.cc",
        "answer.rests_on = known.sequence;",
        "answer.rests_on = 0;",
    ),
    "a_piece_that_failed_is_acked": (
        "control/broker.cc",
        "if (one.rests_on > through) one.outcome = durable;",
        "if (one.rests_on > through + 1) one.outcome = durable;",
    ),
    "unknown_is_taken_for_stored": (
        "control/broker.cc",
        "if (outcome.status.ok()) {\n      events_appended_",
        "if (outcome.status.ok() || absl::IsUnavailable(outcome.status)) {\n      events_appended_",
    ),
    "keys_lost_at_load": (
        "control/history.cc",
        "  RememberKey(*event);\n  retention_.Add(event->sequence, event->time",
        "  retention_.Add(event->sequence, event->time",
    ),
    "jumps_unannounced": ("control/broker.cc", "    live.announced = top;\n", ""),
    "page_claims_the_top": (
        "control/broker_read.cc",
        "request.limits);\n    page.through = read.through;",
        "request.limits);\n    page.through = page.top.sequence();",
    ),
    "never_looks_again": (
        "control/broker.cc",
        "      if (absl::IsUnavailable(outcome.status)) LookAgainLater(shard, session.id);\n",
        "",
    ),
    "load_wakes_nobody": (
        "control/session.cc",
        "operation(this, effects);\n  WakeSubscribers(effects);",
        "operation(this, effects);",
    ),
    "line_is_lost": (
        "control/session.cc",
        "  for (Operation& operation : waiting) operation(why, effects);\n",
        "",
    ),
    "two_winners": (
        "control/history.cc",
        "  if (!IsPending(*known)) {\n    Answer answer =",
        "  if (!IsPending(*known) && !end.response.has_value()) {\n    Answer answer =",
    ),
    "trims_without_the_fold": (
        "control/history.cc",
        "  answer.fold = assigned_fold_.State();\n",
        "",
    ),
    "end_before_key": (
        "control/history.cc",
        "FindKey(idempotency_key, payload_hash); known.has_value())\n    return *known;",
        "FindKey(idempotency_key, payload_hash);\n"
        "      known.has_value() && assigned_fold_.totals().end_sequence == 0)\n    return *known;",
    ),
    "forgets_the_chain": (
        "control/session.cc",
        "  chain = std::make_shared<AppendChain>();\n",
        "",
    ),
    "resync_behind_old_events": (
        "edge/hub_reading.cc",
        "  DropQueued(*s.reader, &s);\n  s.entry_before",
        "  s.entry_before",
    ),
    "events_after_unsubscribed": (
        "edge/hub.cc",
        "  DropQueued(*s.reader, &s);\n  std::string entry",
        "  std::string entry",
    ),
    "subscribed_behind_queued_events": (
        "edge/hub.cc",
        "no event is queued before it.\n  DropQueued(*s.reader, &s);",
        "no event is queued before it.",
    ),
    "dropped_is_not_read_again": (
        "edge/hub.cc",
        "  s.at = first_dropped.before;\n  s.seen = s.at.sequence;",
        "  s.seen = s.at.sequence;",
    ),
    "skipped_is_not_declared": (
        "edge/hub_reading.cc",
        "if (skipped == 0 && of == CursorMove::Of::kEvent)",
        "if (of == CursorMove::Of::kEvent)",
    ),
    "pieces_of_many_folds": (
        "edge/hub_reading.cc",
        "if (s.fold_through == 0) s.fold_through = page.top.sequence;\n",
        "s.fold_through = 0;\n",
    ),
    "goes_live_in_another_life": (
        "edge/hub_reading.cc",
        "  if (s.at.epoch != live.epoch && !from_start) return false;\n",
        "  if (s.at.epoch.empty() && !from_start) return false;\n",
    ),
    "above_the_top_at_its_word": (
        "edge/hub_reading.cc",
        "s.at.sequence > live.sequence && !s.is_known",
        "false",
    ),
    "page_of_another_place": (
        "edge/hub.cc",
        "  CancelRead(s);  // what is in flight was asked for another position\n",
        "",
    ),
    "never_reads_again": (
        "edge/hub.cc",
        "  for (const auto& [id, session] : interests_) interest_ids.push_back(id);\n",
        "",
    ),
    "cursor_is_not_taken_back": (
        "edge/session_socket.cc",
        "if (tag != nullptr) cursor->TakeBack",
        "if (tag != nullptr) Cursor().TakeBack",
    ),
    "cursor_forgets_the_fold": (
        "edge/cursor.cc",
        "if (place.kind == Place::Kind::kFold) text.push_back(kFoldMark);",
        "",
    ),
    "unsent_is_not_taken_back": (
        "edge/engineio/websocket_transport.cc",
        "    TakeBackUnsent(packets_left);\n",
        "    if (packets_left > 1'000) TakeBackUnsent(packets_left);\n",
    ),
    "failed_deadline_is_forgotten": (
        "control/deadline_thread.cc",
        "      next = std::min(next, *not_before);\n",
        "      next = std::min(next, absl::InfiniteFuture());\n",
    ),
}


def plant(name, out):
    file, words, instead = BUGS[name]
    text = (ROOT / file).read_text(encoding="utf-8")
    if text.count(words) != 1:
        sys.exit(f"{name}: {file} has these words {text.count(words)} times, not once:\n{words}")
    pathlib.Path(out).write_text(text.replace(words, instead), encoding="utf-8")


def find(directory, program, *arguments):
    """The run that found it, and what it said; None: it was not found."""
    command = [pathlib.Path(directory, program), f"--seeds={SEEDS_MAX}", *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        done = subprocess.run(
            command, check=False, stdout=output, stderr=output, timeout=FIND_S_MAX
        )
        output.seek(0)
        said = output.read()
    found = re.search(r"VIOLATION (.*)\n\(run (\d+) of", said)
    if found:
        return int(found[2]), found[1]
    return None if done.returncode == 0 else (0, said[-2000:])


def find_all(directory, room):
    runs = {
        name: [f"simulation_{name}"]
        for name, (file, _, _) in BUGS.items()
        if file.startswith(f"{room}/")
    }
    if room == "edge":
        runs |= {rule: ["simulation_edge", f"--broken_rule={rule}"] for rule in BROKEN_RULES}
    missed = 0
    for name, command in runs.items():
        found = find(directory, *command)
        run, said = found or ("-", f"NOT FOUND in {SEEDS_MAX} seeds")
        missed += found is None or run == 0
        print(f"{name:32} {run:>6}  {said}", flush=True)
    print(f"{len(runs) - missed} of {len(runs)} planted bugs found (name, runs until then, the violation)")
    return 1 if missed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--plant", nargs=2, metavar=("NAME", "OUT"))
    parser.add_argument("--find", nargs=2, metavar=("DIRECTORY", "ROOM"))
    options = parser.parse_args()
    if options.list:
        print(";".join(f"{name}={file}" for name, (file, _, _) in BUGS.items()))
    if options.plant:
        plant(*options.plant)
    return find_all(*options.find) if options.find else 0


if __name__ == "__main__":
    sys.exit(main())
