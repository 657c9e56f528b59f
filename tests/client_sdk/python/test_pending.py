"""Which events of publish_soon go when, and what becomes of them."""

import concurrent.futures

import pytest
from sessioncast import Code, Error, Event, Position, events
from sessioncast._options import Options
from sessioncast._pending import Entry, Pending, Published
from sessioncast.v1.session_service_pb2 import (
    PublishEventRequest,
    PublishEventResponse,
    PublishEventsResponse,
    PublishOutcome,
    Refusal,
)


def entry(number, deadline=10.0, size=0):
    event = events.custom("s", "n", {"n": number, "filling": "x" * size})
    return Entry(PublishEventRequest(event=event, idempotency_key=f"k-{number}"), deadline, concurrent.futures.Future())


def pending(count, **options):
    made = Pending(Options(**options))
    for number in range(count):
        made.add(entry(number))
    return made


def accepted(sequence):
    position = Position(epoch="AAAAAAAA", sequence=sequence)
    return PublishOutcome(accepted=PublishEventResponse(position=position))


def refused(code):
    return PublishOutcome(refused=Refusal(code=code, message="why"))


def answer(made, *outcomes):
    return made.answered(PublishEventsResponse(outcomes=outcomes))


def numbers(message):
    return [int(request.idempotency_key[2:]) for request in message]


def test_what_is_there_goes_at_once_and_at_most_256_events_a_message():
    made = pending(300)
    assert numbers(made.take_message()) == list(range(256))
    assert numbers(made.take_message()) == list(range(256, 300))
    assert not made.has_waiting and len(made) == 300


def test_a_message_has_at_most_512_kib_but_one_event_always_goes():
    made = pending(0)
    for number, size in enumerate((300_000, 300_000, 100_000, 900_000, 10)):
        made.add(entry(number, size=size))
    assert [numbers(made.take_message()) for _ in range(4)] == [[0], [1, 2], [3], [4]]


def test_outcomes_are_of_the_oldest_that_were_sent():
    made = pending(3)
    made.take_message()
    settled, again = answer(made, accepted(1), refused(Code.INVALID_ARGUMENT))
    assert [one.entry.request.idempotency_key for one in settled] == ["k-0", "k-1"]
    assert settled[0].result == Published(Position(epoch="AAAAAAAA", sequence=1), False)
    assert settled[1].result.code == Code.INVALID_ARGUMENT and not settled[1].result.outcome_unknown
    assert not again and len(made) == 1


def test_all_without_a_final_outcome_goes_again_in_order():
    made = pending(260)
    made.take_message()
    outcomes = [accepted(1), refused(Code.UNAVAILABLE), accepted(2), refused(Code.RESOURCE_EXHAUSTED)]
    settled, again = answer(made, *outcomes)
    assert again and len(settled) == 2
    made.stream_ended()
    sent = numbers(made.take_message()) + numbers(made.take_message())
    assert sent == [1, *range(3, 260)]


def test_more_outcomes_than_events_are_an_error():
    made = pending(1)
    made.take_message()
    with pytest.raises(Error, match="more events than it was sent"):
        answer(made, accepted(1), accepted(2))


def test_a_deadline_says_whether_the_event_may_be_there():
    made = pending(2)
    made.take_message()
    made.add(entry(2))
    answer(made, refused(Code.RESOURCE_EXHAUSTED))
    assert made.expire(9.9) == ([], False)
    settled, on_stream = made.expire(10.0)
    assert on_stream and [one.result.outcome_unknown for one in settled] == [False, True, False]
    assert all(one.result.code == Code.DEADLINE_EXCEEDED for one in settled)
    assert "it was not stored" in str(settled[0].result) and "its outcome is unknown" in str(settled[1].result)
    assert len(made) == 0


def test_after_a_broken_stream_the_outcome_is_unknown():
    made = pending(1)
    made.take_message()
    made.stream_ended(Error(Code.UNAVAILABLE, "gone"))
    settled, on_stream = made.expire(10.0)
    assert not on_stream and settled[0].result.outcome_unknown and "gone" in settled[0].result.message


@pytest.mark.parametrize("limit", [{"in_flight_events_max": 2}, {"in_flight_bytes_max": 100}])
def test_there_is_room_again_when_something_has_its_outcome(limit):
    made = pending(0, **limit)
    size = entry(0).bytes
    assert made.has_room(1_000_000), "one event always fits"
    for number in range(2):
        assert made.has_room(size)
        made.add(entry(number))
    assert not made.has_room(size)
    made.take_message()
    answer(made, accepted(1))
    assert made.has_room(size)


def test_the_oldest_is_what_a_flush_waits_for():
    made = pending(3)
    made.take_message()
    answer(made, refused(Code.UNAVAILABLE))
    assert made.first.number == 1 and made.last_number == 3


def test_an_event_is_a_copy():
    event = Event(session_id="s")
    request = PublishEventRequest(event=event)
    event.session_id = "t"
    assert request.event.session_id == "s"
