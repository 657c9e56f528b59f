"""The sync client against a real control."""

import concurrent.futures
import socket
import threading

import pytest
import sessioncast
from sessioncast import ClarificationEnded, Code, Error, Position, Publisher, SessionEnded, SessionStream, events

PATIENCE_S = 60


def number(session, n):
    return events.custom(session, "n", {"n": n})


def nobody():
    """An address where nobody listens, and the socket that keeps it so."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, f"127.0.0.1:{held.getsockname()[1]}"


def test_publish_returns_the_position_and_a_key_stores_once(control, session):
    with Publisher(control) as publisher:
        first = publisher.publish(number(session, 1), "key")
        assert first.position.sequence == 1 and not first.duplicate
        assert publisher.publish(number(session, 1), "key") == sessioncast.Published(first.position, True)
        with pytest.raises(Error, match="idempotency_key") as raised:
            publisher.publish(number(session, 2), "key")
        assert raised.value.code == Code.ALREADY_EXISTS and not raised.value.outcome_unknown
        assert publisher.publish(number(session, 2)).position.sequence == 2


def test_what_is_refused_names_the_field(control, session):
    with Publisher(control) as publisher:
        with pytest.raises(Error, match="progress") as raised:
            publisher.publish(events.progress(session, 101))
        assert raised.value.code == Code.INVALID_ARGUMENT
        with pytest.raises(Error, match="at most 1048576 bytes") as raised:
            publisher.publish_soon(events.custom(session, "n", {"text": "x" * 1_100_000}))
        assert raised.value.code == Code.INVALID_ARGUMENT
        with pytest.raises(TypeError, match="event: must be an Event, is str"):
            publisher.publish("progress")


def test_events_of_publish_soon_are_stored_in_order(control, session):
    with Publisher(control) as publisher:
        futures = [publisher.publish_soon(number(session, n)) for n in range(2_000)]
        publisher.flush()
        assert all(future.done() for future in futures)
        assert [future.result().position.sequence for future in futures] == list(range(1, 2_001))


def test_flush_raises_the_first_error_once_and_the_rest_is_stored(control, session):
    with Publisher(control) as publisher:
        bad = events.progress(session, -1)
        futures = [publisher.publish_soon(event) for event in (number(session, 0), bad, number(session, 1), bad)]
        with pytest.raises(Error, match="progress"):
            publisher.flush()
        publisher.flush()
        assert [future.exception() is None for future in futures] == [True, False, True, False]
        assert futures[2].result().position.sequence == 2


def test_close_raises_what_no_flush_did_and_then_refuses(control, session):
    publisher = Publisher(control)
    publisher.publish_soon(events.progress(session, -1))
    with pytest.raises(Error, match="progress"):
        publisher.close()
    publisher.close()
    for call in (publisher.publish, publisher.publish_soon):
        with pytest.raises(Error, match="the Publisher is closed"):
            call(number(session, 1))


def test_an_error_of_the_program_is_not_masked_by_close(control, session):
    with pytest.raises(ZeroDivisionError), Publisher(control) as publisher:
        publisher.publish_soon(events.progress(session, -1))
        _ = 1 / 0


def test_many_threads_share_a_publisher_and_few_events_are_in_flight(control, session):
    def publish(publisher, thread):
        own = f"{session}-{thread}"
        return [publisher.publish_soon(number(own, n)) for n in range(300)]

    with Publisher(control, in_flight_events_max=7) as publisher:
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            all_futures = list(threads.map(lambda thread: publish(publisher, thread), range(8)))
        publisher.flush()
        for futures in all_futures:
            assert [future.result().position.sequence for future in futures] == list(range(1, 301))


def test_while_nobody_is_there_events_wait_and_then_say_that_they_were_not_stored(session):
    held, address = nobody()
    with held, Publisher(address, publish_timeout=1.0, in_flight_events_max=2) as publisher:
        futures = [publisher.publish_soon(number(session, n)) for n in range(2)]
        with pytest.raises(TimeoutError):
            publisher.flush(timeout=0.01)
        third = publisher.publish_soon(number(session, 2))  # waits until the first were given up
        assert futures[0].done()
        with pytest.raises(Error, match="publish_timeout of 1 s has passed"):
            publisher.flush()
        assert third.exception().code == Code.DEADLINE_EXCEEDED
        with pytest.raises(Error, match="publish_timeout of 1 s has passed") as raised:
            publisher.publish(number(session, 3))
        assert raised.value.code == Code.UNAVAILABLE and raised.value.outcome_unknown


def test_a_question_is_answered_once(control, session):
    with Publisher(control) as publisher, concurrent.futures.ThreadPoolExecutor() as threads:
        publisher.publish(number(session, 0))
        asked = threads.submit(publisher.ask_clarification, session, "Which?", clarification_id="q")
        with SessionStream(session, control) as stream:
            next(stream)
            question = next(stream).clarification
        assert question.question == "Which?"
        publisher.answer_clarification(session, "q", "this")
        answer = asked.result(PATIENCE_S)
        assert (answer.response, answer.position.sequence) == ("this", 3)
        assert answer.status == sessioncast.ClarificationStatus.Value("CLARIFICATION_STATUS_ANSWERED")
        with pytest.raises(ClarificationEnded) as raised:
            publisher.cancel_clarification(session, "q")
        assert raised.value.winner.response == "this"
        # Asking again re-attaches.
        assert publisher.ask_clarification(session, "Which?", clarification_id="q") == answer
        with pytest.raises(Error) as raised:
            publisher.answer_clarification(session, "nobody", "x")
        assert raised.value.code == Code.NOT_FOUND


def test_a_question_has_a_limit_and_a_default_and_whoever_asks_may_stop_waiting(control, session):
    with Publisher(control) as publisher:
        answer = publisher.ask_clarification(session, "Which?", time_limit=0.01, default_response="that")
        assert answer.response == "that"
        with pytest.raises(Error, match="timeout of 0.2 s has passed") as raised:
            publisher.ask_clarification(session, "Which?", clarification_id="q", timeout=0.2)
        assert raised.value.outcome_unknown
        snapshot = publisher.get_session(session)
        assert {event.clarification.clarification_id for event in snapshot.events} >= {"q"}
        publisher.cancel_clarification(session, "q")
        assert publisher.get_session(session).position.sequence == snapshot.position.sequence + 1


def test_sessions_are_got_and_listed(control, session):
    with Publisher(control) as publisher:
        with pytest.raises(Error) as raised:
            publisher.get_session(session)
        assert raised.value.code == Code.NOT_FOUND
        publisher.publish(events.progress(session, 10))
        assert publisher.get_session(session).events[0].progress.percent == 10
        listed, token = [], ""
        while page := publisher.list_sessions(page_size=1, page_token=token):
            listed += [summary.session_id for summary in page.sessions]
            token = page.next_page_token
            if not token:
                break
        assert session in listed


def test_a_session_that_has_ended_takes_nothing_more(control, session):
    with Publisher(control) as publisher:
        publisher.publish(events.completed(session, {"ok": True}))
        with pytest.raises(SessionEnded):
            publisher.publish(number(session, 1))
        future = publisher.publish_soon(number(session, 1))
        assert isinstance(future.exception(PATIENCE_S), SessionEnded)
        with pytest.raises(SessionEnded):
            publisher.flush()


def test_a_stream_gives_everything_and_ends_with_its_session(control, session):
    with SessionStream(session, control) as stream, Publisher(control) as publisher:
        publisher.publish(number(session, 0))
        assert next(stream).position.sequence == 1
        for n in range(1, 50):
            publisher.publish_soon(number(session, n))
        publisher.publish_soon(events.completed(session))
        items = list(stream)
        assert [item.custom.data["n"] for item in items[:-1]] == list(range(1, 50))
        assert items[-1].WhichOneof("kind") == "completed" and stream.position.sequence == 51
        assert list(stream) == []
    again = SessionStream(session, control, after=Position(epoch=stream.position.epoch, sequence=50))
    assert [item.position.sequence for item in again] == [51]


def test_a_stream_is_closed_from_another_thread(control, session):
    stream = SessionStream(session, control)
    reading = threading.Thread(target=list, args=(stream,))
    reading.start()
    stream.close()
    reading.join(PATIENCE_S)
    assert not reading.is_alive() and list(stream) == []


def test_another_epoch_is_a_resync(control, session):
    with Publisher(control) as publisher:
        publisher.publish(events.progress(session, 7))
        with SessionStream(session, control, after=Position(epoch="AAAAAAAA", sequence=3)) as stream:
            resync = next(stream)
            assert isinstance(resync, sessioncast.Resync) and resync.snapshot.events[0].progress.percent == 7
            assert stream.position == resync.snapshot.position
            publisher.publish(events.completed(session))
            assert [item.position.sequence for item in stream] == [2]


def test_a_stream_that_is_closed_while_it_waits_for_a_snapshot_gives_nothing_more(start_control, session):
    control = start_control()
    with Publisher(control.address) as publisher:
        publisher.publish(events.progress(session, 7))
    stream = SessionStream(session, control.address, after=Position(epoch="AAAAAAAA", sequence=3))
    waits = threading.Event()
    call = stream._caller.call

    def call_nobody(*arguments, **named):
        control.process.kill()
        control.process.wait()
        waits.set()
        return call(*arguments, **named)

    stream._caller.call = call_nobody
    with concurrent.futures.ThreadPoolExecutor() as threads:
        reading = threads.submit(list, stream)
        assert waits.wait(PATIENCE_S)
        stream.close()
        assert reading.result(PATIENCE_S) == []


def test_a_bad_session_id_is_refused_for_good(control):
    with SessionStream("no/slash", control) as stream, pytest.raises(Error, match="session_id") as raised:
        next(stream)
    assert raised.value.code == Code.INVALID_ARGUMENT


def test_a_stream_gives_up_when_it_was_told_to(session):
    held, address = nobody()
    with held, SessionStream(session, address, give_up_after=0.5) as stream:
        with pytest.raises(Error, match="give_up_after of 0.5 s has passed") as raised:
            next(stream)
        assert raised.value.code == Code.UNAVAILABLE


def test_what_control_has_no_room_for_is_published_again(start_control, session):
    control = start_control("--publish_in_flight_bytes_max=4096")
    with Publisher(control.address) as publisher:
        # 200 bytes each: what control takes of them together is more than all the room.
        made = [events.custom(session, "n", {"n": n, "text": "x" * 100}) for n in range(500)]
        futures = [publisher.publish_soon(event) for event in made]
        publisher.flush()
        assert [future.result().position.sequence for future in futures] == list(range(1, 501)), "in order, once"
        assert publisher.publish(events.custom(session, "n", {"text": "x" * 20_000})).position.sequence == 501
