"""Waits, attempts, where a reader goes on, options: without a server."""

import pickle

import grpc
import pytest
from sessioncast import (
    ClarificationEnded,
    Code,
    Credentials,
    Error,
    Position,
    Publisher,
    SessionEnded,
    Snapshot,
    events,
)
from sessioncast._attempts import Attempts
from sessioncast._backoff import Backoff
from sessioncast._options import Options
from sessioncast._reading import Reading
from sessioncast._status import error_of_call, pushback_s
from sessioncast.credentials import Token
from sessioncast.v1.event_pb2 import Clarification
from sessioncast.v1.session_service_pb2 import ErrorDetail, StatusDetails, StreamSessionResponse

GONE = Error(Code.UNAVAILABLE, "gone", True)
FULL = Error(Code.RESOURCE_EXHAUSTED, "full")


class Call:
    """A call that has ended, as gRPC shows it."""

    def __init__(self, code, message="", detail=None, trailers=()):
        self._code, self._message, self._trailers = code, message, list(trailers)
        if detail is not None:
            details = StatusDetails(code=code.value[0])
            details.details.add().Pack(detail)
            self._trailers.append(("grpc-status-details-bin", details.SerializeToString()))

    def code(self):
        return self._code

    def details(self):
        return self._message

    def trailing_metadata(self):
        return self._trailers


def test_waits_double_and_each_is_a_random_part_between_half_and_all():
    asked = []
    backoff = Backoff(0.1, 0.5, lambda low, high: asked.append((low, high)) or high)
    assert [backoff.wait() for _ in range(4)] == [0.1, 0.2, 0.4, 0.5]
    assert asked == [(0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.25, 0.5)]
    backoff.reset()
    assert backoff.wait() == 0.1
    assert backoff.wait(pushback=3.0) == 3.0


def test_a_call_is_tried_again_until_its_time_is_over():
    attempts = Attempts(Options(), 100.0, 60.0, "publish_timeout", 10.0)
    assert attempts.timeout(100.0) == 10.0 and not attempts.wait_for_ready
    assert attempts.failed(GONE, None, 101.0) <= 0.1
    assert attempts.timeout(155.0) == 5.0 and attempts.wait_for_ready
    with pytest.raises(Error, match="publish_timeout of 60 s has passed; full") as raised:
        attempts.failed(FULL, None, 160.0)
    assert raised.value.outcome_unknown, "the first attempt may have been stored"


def test_what_had_no_room_until_the_end_is_surely_not_stored():
    attempts = Attempts(Options(), 0.0, 60.0, "publish_timeout", 10.0)
    attempts.failed(FULL, 0.5, 1.0)
    with pytest.raises(Error) as raised:
        attempts.failed(FULL, None, 60.0)
    assert not raised.value.outcome_unknown and raised.value.code == Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("error", [Error(Code.INVALID_ARGUMENT, "bad"), Error(Code.UNAUTHENTICATED, "who")])
def test_what_is_refused_for_good_is_not_tried_again(error):
    attempts = Attempts(Options(), 0.0, 60.0, "publish_timeout", 10.0)
    attempts.timeout(0.0)
    with pytest.raises(Error) as raised:
        attempts.failed(error, None, 1.0)
    assert raised.value is error


def test_the_server_may_forbid_another_attempt():
    with pytest.raises(Error, match="full"):
        Attempts(Options(), 0.0, 60.0, "publish_timeout", 10.0).failed(FULL, -1.0, 1.0)


def test_what_a_status_says():
    position = Position(epoch="AAAAAAAA", sequence=7)
    error = error_of_call(Call(grpc.StatusCode.OUT_OF_RANGE, "after", ErrorDetail(snapshot_position=position)))
    assert (error.code, error.message, error.snapshot_position) == (Code.OUT_OF_RANGE, "after", position)
    assert not error.outcome_unknown and error_of_call(Call(grpc.StatusCode.INTERNAL)).outcome_unknown
    winner = Clarification(clarification_id="c", response="yes")
    ended = error_of_call(Call(grpc.StatusCode.ALREADY_EXISTS, "", ErrorDetail(winner=winner)))
    assert isinstance(ended, ClarificationEnded) and ended.winner == winner
    assert isinstance(error_of_call(Call(grpc.StatusCode.FAILED_PRECONDITION)), SessionEnded)
    assert type(error_of_call(Call(grpc.StatusCode.ALREADY_EXISTS))) is Error
    garbled = Call(grpc.StatusCode.OUT_OF_RANGE, "m", None, [("grpc-status-details-bin", b"\xff\xff")])
    assert error_of_call(garbled).message == "m"
    assert pushback_s(Call(grpc.StatusCode.RESOURCE_EXHAUSTED, "", None, [("grpc-retry-pushback-ms", "250")])) == 0.25
    assert pushback_s(Call(grpc.StatusCode.RESOURCE_EXHAUSTED, "", None, [("grpc-retry-pushback-ms", "soon")])) is None


def test_an_error_can_be_pickled():
    error = SessionEnded(Code.FAILED_PRECONDITION, "ended", False, Position(epoch="AAAAAAAA", sequence=1))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is SessionEnded and copy.args == error.args and str(copy) == "ended (FAILED_PRECONDITION)"


def response(*sequences, epoch="AAAAAAAA"):
    made = StreamSessionResponse()
    for sequence in sequences:
        made.events.add(session_id="s", position=Position(epoch=epoch, sequence=sequence))
    return made


def sequences(items):
    return [item.position.sequence for item in items]


def test_a_reader_drops_what_it_has_and_goes_on_after_it():
    reading = Reading("s", None, Options(), None)
    assert sequences(reading.received(response(1, 2))) == [1, 2]
    reading.failed(GONE, None, 1.0)
    assert reading.request(1.0).after == Position(epoch="AAAAAAAA", sequence=2)
    assert sequences(reading.received(response(1, 2, 3))) == [3]


@pytest.mark.parametrize("bad", [response(4), response(3, epoch="BBBBBBBB")])
def test_a_gap_is_never_silent(bad):
    reading = Reading("s", None, Options(), None)
    reading.received(response(1, 2))
    with pytest.raises(Error, match=" came after ") as raised:
        reading.received(bad)
    assert raised.value.code == Code.DATA_LOSS


def test_after_a_resync_reading_goes_on_behind_the_snapshot():
    reading = Reading("s", Position(epoch="BBBBBBBB", sequence=1), Options(), None)
    reading.resync(Snapshot(session_id="s", position=Position(epoch="AAAAAAAA", sequence=40)))
    assert reading.request(0.0).after.sequence == 40
    assert sequences(reading.received(response(41))) == [41]


def test_a_reader_gives_up_after_control_was_away_for_so_long():
    reading = Reading("s", None, Options(), 30.0)
    for now in (100.0, 120.0, 129.0):
        reading.request(now)
        reading.failed(GONE, None, now)
    reading.received(response(1))
    reading.request(150.0)
    reading.failed(GONE, None, 150.0)
    reading.request(180.0)
    with pytest.raises(Error, match="give_up_after of 30 s has passed; gone"):
        reading.failed(GONE, None, 180.0)


def test_a_reader_that_never_had_a_connection_gives_up_too():
    reading = Reading("s", None, Options(), 30.0)
    assert reading.gives_up_in(100.0) == 30.0
    reading.failed(GONE, None, 129.0)
    assert reading.gives_up_in(130.0) == 0.0
    with pytest.raises(Error, match="give_up_after of 30 s has passed; gone"):
        reading.failed(GONE, None, 130.0)


def test_a_reader_of_an_idle_session_was_not_away_while_it_was_connected():
    reading = Reading("s", None, Options(), 30.0)
    reading.request(0.0)
    reading.failed(GONE, None, 0.0)
    reading.request(1.0)
    reading.failed(GONE, None, 4_000.0)
    assert reading.gives_up_in(4_000.0) == 30.0


def test_a_token_that_ended_during_a_call_is_no_refusal():
    denied = Error(Code.UNAUTHENTICATED, "who")
    reading = Reading("s", None, Options(), None)
    reading.request(0.0)
    reading.failed(denied, 0.0, 0.1)
    reading.request(61.0)
    with pytest.raises(Error, match="who"):
        reading.failed(denied, None, 161.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"publish_timeout": 0}, "publish_timeout: must be above 0, is 0"),
        ({"call_timeout": float("inf")}, "call_timeout: must be above 0, is inf"),
        ({"backoff_min": 3.0}, r"backoff_max: must be at least backoff_min \(3.0\), is 2.0"),
        ({"in_flight_events_max": -1}, "in_flight_events_max: must be above 0, is -1"),
    ],
)
def test_an_option_out_of_its_range_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Publisher("localhost:1", **options)


def test_credentials_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(ValueError, match="both or none"):
        Credentials(ca_file="ca.pem", cert_file="cert.pem")
    with pytest.raises(ValueError, match="needs ca_file"):
        Credentials(cert_file="cert.pem", key_file="key.pem")
    with pytest.raises(ValueError, match="one of them"):
        Credentials(token="t", token_file="f")
    with pytest.raises(OSError, match="missing"):
        Publisher("localhost:1", credentials=Credentials(ca_file=str(tmp_path / "missing")))
    assert "secret" not in repr(Credentials(token="secret"))


def test_a_token_file_is_read_again_and_what_cannot_be_read_leaves_the_token(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    file = tmp_path / "token"
    token = Token(Credentials(token_file=str(file)))
    with pytest.raises(Error, match="token_file: ") as raised:
        token.metadata()
    assert raised.value.code == Code.UNAVAILABLE
    file.write_text("first\n", encoding="utf-8")
    assert token.metadata() == (("authorization", "Bearer first"),)
    file.write_text("second", encoding="utf-8")
    assert token.metadata() == (("authorization", "Bearer first"),)
    now[0] += 2.0
    assert token.metadata() == (("authorization", "Bearer second"),)
    file.unlink()
    now[0] += 2.0
    assert token.metadata() == (("authorization", "Bearer second"),)


def test_events_are_made_of_plain_values():
    event = events.progress("s", 45, result={"a": [1, {"b": None}]})
    assert event.progress.result["a"][1]["b"] is None and event.progress.percent == 45
    with pytest.raises(ValueError, match="status: must be one of ACTIVE"):
        events.progress("s", 1, status="DONE")
    result = events.model_result("s", "m", "text", status="failed", error="why")
    assert result.model_result.error == "why" and not result.model_result.HasField("provider")
    assert not events.completed("s").completed.HasField("result")
    assert events.error("s", "bad", final=True).error.final
