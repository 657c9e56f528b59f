#!/usr/bin/env python3
"""Starts `sessioncast serve` and publishes demo sessions with the `sessioncast` tool until it is told to stop.

The page follows the session demo-YYYY-MM-DD (UTC): the `result.sessionId` of its last progress names the demo session
that runs now. It has the day in its id, since a session without events for a day expires for good.
"""

import argparse
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

QUESTION = "Who will read the summary: engineers, or everybody?"
DEFAULT_ANSWER = "everybody"
ANSWER_SECONDS = 30
PAUSE_SECONDS = 5
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Each model with its provider, and how many words it writes a tick.
MODELS = {"llama3.1:8b": ("ollama", 2), "mistral:7b": ("ollama", 3), "qwen2.5:14b": ("vllm", 1)}
TEXTS = {
    "llama3.1:8b": "The document describes one log for each session. Whatever happens is an event with a number: "
    "progress, a model's answer, a question to a human, the end. Readers go on from the last number they have seen, "
    "so nothing is lost when a laptop sleeps or a server restarts.",
    "mistral:7b": "Three parts: job runners publish over gRPC, control orders and keeps the events, and an edge hands "
    "them to browsers over Socket.IO. A slow browser is spared what newer events supersede, and is told how many.",
    "qwen2.5:14b": "In short: publish once, see it everywhere, in order. The acknowledgement comes after the event is "
    "on disk. The text is for {audience}, so it stays brief.",
}


def say(text):
    print(f"[demo] {text}", flush=True)


class Stopped(Exception):
    """The person, or the system, wants the demo to end."""


class Server:
    """A running `sessioncast serve`, whose log is shown as it comes and read for the addresses."""

    def __init__(self, options):
        command = [
            options.bin / "sessioncast",
            "serve",
            f"--http_listen={options.http_listen}",
            f"--grpc_listen={options.grpc_listen}",
            f"--store={options.store}",
        ]
        self._addresses = {}
        self._changed = threading.Condition()
        self._ended = False
        # A session of its own: Ctrl-C reaches this program alone, which then stops the server, once.
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def _read_log(self):
        for line in self._process.stderr:
            sys.stderr.write(line)
            sys.stderr.flush()
            match = re.search(r"\b(control|edge) listening on (127\.0\.0\.1:\d+)", line)
            if match:
                with self._changed:
                    self._addresses[match[1]] = match[2]
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_until_it_listens(self):
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or len(self._addresses) == 2, START_SECONDS_MAX
            )
            if len(self._addresses) < 2:
                sys.exit("[demo] the server did not start; the lines above say why")

    def address(self, part):
        return self._addresses[part]

    def is_running(self):
        return self._process.poll() is None

    def stop(self):
        if self.is_running():
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS_MAX)


class Publisher:
    """`sessioncast publish SESSION`, which takes one event a line."""

    def __init__(self, tool, control, session_id):
        self._process = subprocess.Popen(
            [tool, "publish", session_id, f"--control={control}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def publish(self, **event):
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()

    def close(self):
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            if self._process.wait(STOP_SECONDS_MAX) != 0:
                say("an event was not accepted; the line above says why")
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Demo:
    """One demo session after the other."""

    def __init__(self, server, options):
        self._server = server
        self._tool = options.bin / "sessioncast"
        self._control = server.address("control")
        self._pace = options.pace
        self._number = 0

    def run(self):
        while True:
            self._number += 1
            session_id = time.strftime("demo-%Y%m%d-%H%M%S", time.gmtime()) + f"-{self._number}"
            self._point_page_at(session_id)
            say(f"session {session_id} begins")
            with Publisher(self._tool, self._control, session_id) as publisher:
                self._run_session(session_id, publisher)
            say(f"session {session_id} is complete; the next one follows")
            self._pause(PAUSE_SECONDS)

    def _point_page_at(self, session_id):
        pointer_session = time.strftime("demo-%Y-%m-%d", time.gmtime())
        with Publisher(self._tool, self._control, pointer_session) as publisher:
            publisher.publish(
                progress={
                    "progress": 0,
                    "status": "SESSION_STATUS_ACTIVE",
                    "result": {"sessionId": session_id},
                }
            )

    def _run_session(self, session_id, publisher):
        self._publish_progress(publisher, 0)
        self._stream_models(
            publisher, {name: TEXTS[name] for name in ("llama3.1:8b", "mistral:7b")}, (5, 60)
        )
        audience = self._ask(session_id)
        text = TEXTS["qwen2.5:14b"].format(audience=audience)
        self._stream_models(publisher, {"qwen2.5:14b": text}, (60, 95))
        self._publish_progress(publisher, 100, "COMPLETED")
        publisher.publish(
            completed={"result": {"audience": audience, "summary": text, "models": len(MODELS)}}
        )

    def _publish_progress(self, publisher, percent, status="PROCESSING"):
        publisher.publish(progress={"progress": percent, "status": f"SESSION_STATUS_{status}"})

    def _stream_models(self, publisher, texts, percents):
        """Publishes the texts word by word, each event with the whole so far, while progress moves over `percents`."""
        first, last = percents
        words = {name: text.split(" ") for name, text in texts.items()}
        written = dict.fromkeys(texts, 0)
        started = time.monotonic()
        while any(written[name] < len(words[name]) for name in texts):
            for name in texts:
                self._write_words(publisher, name, words[name], written, started)
            done = sum(written.values()) / sum(len(text) for text in words.values())
            self._publish_progress(publisher, round(first + (last - first) * done))
            self._pause(0.25)

    def _write_words(self, publisher, name, words, written, started):
        if written[name] == len(words):
            return
        provider, words_a_tick = MODELS[name]
        written[name] = min(len(words), written[name] + words_a_tick)
        state = "COMPLETED" if written[name] == len(words) else "PROCESSING"
        publisher.publish(
            modelResult={
                "modelName": name,
                "provider": provider,
                "duration": str(int((time.monotonic() - started) * 1000)),
                "result": " ".join(words[: written[name]]),
                "status": f"MODEL_RESULT_STATUS_{state}",
            }
        )

    def _ask(self, session_id):
        say(f"asking: {QUESTION} (answer on the page; after {ANSWER_SECONDS} s: {DEFAULT_ANSWER})")
        asking = subprocess.Popen(
            [
                self._tool,
                "ask",
                session_id,
                f"--question={QUESTION}",
                f"--default_response={DEFAULT_ANSWER}",
                f"--time_limit_ms={ANSWER_SECONDS * 1000}",
                "--json",
                f"--control={self._control}",
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            while asking.poll() is None:
                self._pause(0.1)
            answer = json.loads(asking.stdout.read()).get("response", DEFAULT_ANSWER)
        finally:
            asking.kill()
            asking.communicate()
        say(f"the answer is: {answer}")
        return answer

    def _pause(self, seconds):
        time.sleep(seconds * self._pace)
        if not self._server.is_running():
            sys.exit("[demo] the server ended; the lines above say why")


def port_of(listen):
    match = re.fullmatch(r".*:(\d{1,5})", listen)
    if not match:
        sys.exit(f"[demo] {listen}: expected HOST:PORT")
    return int(match[1])


def check_ports(options):
    """Says what to do when somebody else listens there already, before anything is built."""
    for flag in ("http_listen", "grpc_listen"):
        port = port_of(getattr(options, flag))
        with socket.socket() as probe:
            probe.settimeout(1)
            if port != 0 and probe.connect_ex(("127.0.0.1", port)) == 0:
                sys.exit(
                    f"[demo] port {port} is taken by another program: stop that one, or choose another port, "
                    f"for example: ./tools/run --{flag}=localhost:{port + 1}"
                )


def parse_flags():
    parser = argparse.ArgumentParser(
        prog="tools/run", description="A demo session on a page, again and again."
    )
    parser.add_argument(
        "--bin",
        type=pathlib.Path,
        default=pathlib.Path("build/release/bin"),
        help="where the built programs are",
    )
    parser.add_argument(
        "--http_listen", default="localhost:3000", help="the page, Socket.IO and REST"
    )
    parser.add_argument("--grpc_listen", default="localhost:50051", help="gRPC")
    parser.add_argument(
        "--store", default="rocksdb:./sessioncast-data", help="rocksdb:DIR or memory"
    )
    parser.add_argument("--pace", type=float, default=1.0, help="below 1: the demo runs faster")
    parser.add_argument(
        "--check_ports_only", action="store_true", help="only look whether the ports are free"
    )
    return parser.parse_args()


def print_where_to_look(server):
    http = server.address("edge").replace("127.0.0.1", "localhost")
    control = server.address("control").replace("127.0.0.1", "localhost")
    say(f"the page:     http://{http}/")
    say(
        f"gRPC:         {control}, for example: build/release/bin/sessioncast list --control={control}"
    )
    say("Ctrl-C stops everything")


def stop_on_signals():
    def stop(_signal, _frame):
        raise Stopped

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def main():
    options = parse_flags()
    check_ports(options)
    if options.check_ports_only:
        return
    if not (options.bin / "sessioncast").exists():
        sys.exit(f"[demo] there is no {options.bin / 'sessioncast'}: ./tools/run builds it")
    stop_on_signals()
    server = Server(options)
    try:
        server.wait_until_it_listens()
        print_where_to_look(server)
        Demo(server, options).run()
    except Stopped:
        say("stopping")
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        server.stop()


if __name__ == "__main__":
    main()
