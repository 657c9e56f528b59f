"""A token that ends while calls last: those who show another one in time go on, with nothing missing and nothing twice."""

import asyncio
import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import secrets
import threading
import time

import pytest
from conftest import PATIENCE_S
from sessioncast import Code, Credentials, Error, Publisher, SessionStream, aio, events

LIFE_S = 6  # of a token; its end is in whole seconds, so it is 5 at least
REFRESH_S = 0.5  # so that whoever looks at the file once in 2 s never has one that has ended
PUBLISH_S = 13.0  # more than two lives


class Tokens:
    """A file with a token for all sessions, written anew again and again if it is refreshed."""

    def __init__(self, directory):
        self.file = directory / "token"
        self._key = secrets.token_hex(32)
        (directory / "secret").write_text(self._key, encoding="utf-8")
        self.flag = f"--token_key=k:HS256:{directory}/secret"
        self.credentials = Credentials(token_file=str(self.file))

    def _sign(self):
        claims = {"sessions": ["*"], "verbs": ["publish", "stream"], "exp": int(time.time()) + LIFE_S}
        parts = [{"alg": "HS256", "typ": "JWT", "kid": "k"}, claims]
        text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        return f"{text}.{_base64(hmac.digest(self._key.encode(), text.encode(), hashlib.sha256))}"

    def write(self):
        new = self.file.with_suffix(".new")
        new.write_text(self._sign(), encoding="utf-8")
        new.rename(self.file)

    @contextlib.contextmanager
    def refreshed(self):
        done = threading.Event()

        def refresh():
            while not done.wait(REFRESH_S):
                self.write()

        self.write()
        thread = threading.Thread(target=refresh)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path)


class Sync:
    """The sync client, as the asyncio one is used."""

    def __init__(self, address, credentials, threads):
        self._threads = threads
        self._address = address
        self._credentials = credentials
        self._publisher = Publisher(address, credentials=credentials)

    async def _call(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*arguments))

    async def publish_soon(self, event):
        return await self._call(self._publisher.publish_soon, event)

    async def flush(self):
        await self._call(self._publisher.flush)

    async def ask(self, session):
        return await self._call(lambda: self._publisher.ask_clarification(session, "Which?", clarification_id="q"))

    async def answer(self, session):
        await self._call(self._publisher.answer_clarification, session, "q", "this")

    async def read(self, session):
        return await self._call(lambda: list(SessionStream(session, self._address, credentials=self._credentials)))

    async def close(self):
        await self._call(self._publisher.close)


class Aio:
    """The asyncio client."""

    def __init__(self, address, credentials, _threads):
        self._address = address
        self._credentials = credentials
        self._publisher = aio.Publisher(address, credentials=credentials)
        self.publish_soon = self._publisher.publish_soon
        self.flush = self._publisher.flush
        self.close = self._publisher.close

    async def ask(self, session):
        return await self._publisher.ask_clarification(session, "Which?", clarification_id="q")

    async def answer(self, session):
        await self._publisher.answer_clarification(session, "q", "this")

    async def read(self, session):
        return [item async for item in aio.SessionStream(session, self._address, credentials=self._credentials)]


async def publish_for(client, session, seconds):
    """One behind the other; their sequences."""
    outcomes = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        outcomes.append(await client.publish_soon(events.custom(session, "n", {"n": len(outcomes)})))
        await client.flush()
    return [outcome.result().position.sequence for outcome in outcomes]


@pytest.mark.parametrize("kind", [Sync, Aio])
def test_calls_outlast_tokens_that_are_replaced_in_time(start_control, tokens, session, kind):
    control = start_control(tokens.flag)

    async def run(client):
        silent, asked = f"{session}-silent", f"{session}-asked"
        reading = asyncio.ensure_future(client.read(session))
        # Its call brings nothing before its token has ended.
        waiting = asyncio.ensure_future(client.read(silent))
        asking = asyncio.ensure_future(client.ask(asked))
        sequences = await publish_for(client, session, PUBLISH_S)
        assert sequences == list(range(1, len(sequences) + 1))
        for one in (session, silent):
            await client.publish_soon(events.completed(one))
        await client.flush()
        read = await asyncio.wait_for(reading, PATIENCE_S)
        assert [item.position.sequence for item in read] == list(range(1, len(sequences) + 2))
        assert [int(item.custom.data["n"]) for item in read[:-1]] == list(range(len(sequences)))
        assert [item.position.sequence for item in await asyncio.wait_for(waiting, PATIENCE_S)] == [1]
        await client.answer(asked)
        assert (await asyncio.wait_for(asking, PATIENCE_S)).response == "this"
        await client.close()

    with concurrent.futures.ThreadPoolExecutor() as threads, tokens.refreshed():
        asyncio.run(run(kind(control.address, tokens.credentials, threads)))


@pytest.mark.parametrize("kind", [Sync, Aio])
def test_calls_end_with_a_token_that_nobody_replaces(start_control, tokens, session, kind):
    control = start_control(tokens.flag)

    async def run(client):
        reading = asyncio.ensure_future(client.read(f"{session}-silent"))
        asking = asyncio.ensure_future(client.ask(f"{session}-asked"))
        for call in (reading, asking, publish_for(client, session, PATIENCE_S)):
            with pytest.raises(Error) as raised:
                await asyncio.wait_for(call, PATIENCE_S)
            assert raised.value.code == Code.UNAUTHENTICATED
        await client.close()

    tokens.write()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        asyncio.run(run(kind(control.address, tokens.credentials, threads)))
