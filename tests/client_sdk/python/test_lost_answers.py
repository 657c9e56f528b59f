"""Control's word of an answer, or of a question that is withdrawn, is lost on its way: what counts is told all the same."""

import asyncio
import pathlib
import sys

import pytest
from conftest import PATIENCE_S
from sessioncast import Clarification, ClarificationEnded, ClarificationStatus, Event, Publisher, aio

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "chaos"))
from proxy import DOWN, Direction, Proxy  # noqa: E402  pylint: disable=wrong-import-position

PENDING, ANSWERED, CANCELLED = (
    ClarificationStatus.Value(f"CLARIFICATION_STATUS_{word}") for word in ("PENDING", "ANSWERED", "CANCELLED")
)


class Lost(Direction):
    """Says when something was thrown away."""

    def __init__(self):
        self.some = asyncio.Event()
        super().__init__()

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "dropped_bytes" and value:
            self.some.set()


class Stage:
    """A question in `session`, and a publisher that reaches control by way of a line that can lose what comes back."""

    def __init__(self, kind, control, session):
        self.kind = kind
        self.control = control
        self.session = session
        self.line = Proxy("line")
        self.line.to[DOWN] = self.lost = Lost()

    async def __aenter__(self):
        self.direct = aio.Publisher(self.control)
        question = Clarification(clarification_id="q", question="Which?", status=PENDING)
        await self.direct.publish(Event(session_id=self.session, clarification=question))
        await self.line.start()
        self.line.target = int(self.control.rpartition(":")[2])
        made_by = Publisher if self.kind == "sync" else aio.Publisher
        self.publisher = made_by(f"127.0.0.1:{self.line.port}")
        await self.call("get_session", self.session)
        return self

    async def __aexit__(self, kind, error, trace):
        await self.call("close")
        await self.direct.close()
        await self.line.stop()

    def call(self, name, *arguments):
        method = getattr(self.publisher, name)
        return asyncio.to_thread(method, *arguments) if self.kind == "sync" else method(*arguments)

    async def until(self, status):
        async with aio.SessionStream(self.session, self.control) as stream:
            async for item in stream:
                if item.clarification.status == status:
                    return

    async def end(self, verb, *arguments, lost_once):
        """Ends the question; what comes back is lost until `lost_once`, and then the connection with it."""
        self.line.drop(DOWN)
        ending = asyncio.ensure_future(self.call(f"{verb}_clarification", self.session, "q", *arguments))
        await asyncio.wait_for(lost_once, PATIENCE_S)
        self.line.cut()
        self.line.heal()
        await asyncio.wait_for(ending, PATIENCE_S)


WAYS = [("answer", ("this",), ANSWERED), ("cancel", (), CANCELLED)]


@pytest.mark.parametrize("kind", ["sync", "aio"])
@pytest.mark.parametrize(("verb", "arguments", "status"), WAYS)
def test_who_ended_a_question_is_told_so_though_the_first_word_of_it_was_lost(
    control, session, kind, verb, arguments, status
):
    async def run():
        async with Stage(kind, control, session) as stage:
            await stage.end(verb, *arguments, lost_once=stage.until(status))

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["sync", "aio"])
@pytest.mark.parametrize(("verb", "arguments", "status"), WAYS)
def test_another_one_that_was_first_is_told_also_after_its_first_word_was_lost(
    control, session, kind, verb, arguments, status
):
    async def run():
        async with Stage(kind, control, session) as stage:
            await stage.direct.answer_clarification(session, "q", "that")
            with pytest.raises(ClarificationEnded) as raised:
                await stage.end(verb, *arguments, lost_once=stage.lost.some.wait())
            assert raised.value.winner.response == "that"

    asyncio.run(run())
