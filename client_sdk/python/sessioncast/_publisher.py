"""The sync publisher."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from types import TracebackType
from typing import Any

from sessioncast import _options, _publishing
from sessioncast._attempts import Attempts
from sessioncast._calling import Caller
from sessioncast._channel import Line
from sessioncast._options import Options
from sessioncast._pending import Published
from sessioncast._publishing import EndRequest, Seconds
from sessioncast._soon import SoonPublisher
from sessioncast.credentials import Credentials, Token
from sessioncast.errors import ClarificationEnded, Error
from sessioncast.v1.event_pb2 import Event
from sessioncast.v1.session_service_pb2 import (
    AnswerClarificationRequest,
    AskClarificationResponse,
    CancelClarificationRequest,
    GetSessionRequest,
    ListSessionsRequest,
    ListSessionsResponse,
    Snapshot,
)


class Publisher:
    """Publishes events into sessions, and asks their human.

    Threads: any; one Publisher may be shared by all. Its calls block the thread that makes them.

    Processes: gRPC does not survive a fork while it is used. Make a Publisher in the process that
    uses it, after the fork (multiprocessing: start method "spawn", or make it in the worker).

    Connection: made by the first call; control may be away then, and come back.

    As a context manager it closes itself at the end.
    """

    def __init__(
        self,
        control: str = "localhost:50051",
        *,
        credentials: Credentials | None = None,
        call_timeout: float = _options.CALL_TIMEOUT,
        publish_timeout: float = _options.PUBLISH_TIMEOUT,
        backoff_min: float = _options.BACKOFF_MIN,
        backoff_max: float = _options.BACKOFF_MAX,
        in_flight_events_max: int = _options.IN_FLIGHT_EVENTS_MAX,
        in_flight_bytes_max: int = _options.IN_FLIGHT_BYTES_MAX,
    ) -> None:
        """For a control at HOST:PORT.

        Args:
            control: HOST:PORT.
            credentials: what control asks for; None: plaintext, and no token.
            call_timeout: of one attempt of a call, and of get_session and list_sessions in all, in
                seconds.
            publish_timeout: of one event, or of the end of a question, in all, in seconds.
            backoff_min: from one attempt to the next, in seconds; doubling, and each time a random
                part between half and all of it.
            backoff_max: the most of it, in seconds.
            in_flight_events_max: events of publish_soon without an outcome, at most.
            in_flight_bytes_max: their bytes together, at most; one event always fits.

        Raises:
            ValueError: an option is out of its range; the message names it.
            OSError: a file of `credentials` cannot be read.

        """
        self._settings = Options(
            call_timeout,
            publish_timeout,
            backoff_min,
            backoff_max,
            in_flight_events_max,
            in_flight_bytes_max,
        )
        credentials = credentials or Credentials()
        self._token = Token(credentials)
        self._line = Line(control, credentials)
        self._soon = SoonPublisher(self._line, self._token, self._settings)
        self._closed = threading.Event()
        self._caller = Caller("Publisher", self._line, self._token, self._closed)

    def publish(self, event: Event, idempotency_key: str | None = None) -> Published:
        """Publishes one event; it is durable when this returns.

        Tried again, under one key, while the outcome is unknown or control has no room for it, for
        `publish_timeout` at most. It does not wait for what was handed to `publish_soon`: flush
        before, where the order matters.

        Args:
            event: without position and time; see sessioncast.events. At most 256 KiB serialized;
                with a result, 1 MiB.
            idempotency_key: at most 128 bytes, unique within the session; a second publish with the
                same key stores nothing. None: one is made.

        Raises:
            SessionEnded: nothing more can be published to the session.
            Error: it was refused, or its outcome is unknown (`outcome_unknown`).

        """
        request = _publishing.publish_request(event, idempotency_key)
        limit = self._settings.publish_timeout
        response = self._call("PublishEvent", request, limit, "publish_timeout")
        return _publishing.published(response)

    def publish_soon(
        self, event: Event, idempotency_key: str | None = None
    ) -> concurrent.futures.Future[Published]:
        """Publishes one of many events, in the order of the calls, over one stream.

        Returns at once, or when there is room: at most `in_flight_events_max` events and
        `in_flight_bytes_max` bytes are on the way. Its outcome is the future's result, or its
        exception, an Error, after `publish_timeout` at the latest; the future cannot be cancelled.
        What it calls back runs on a thread that others wait for: it must not block, and not call
        publish_soon, flush or close.

        Args:
            event: as in `publish`; it is copied.
            idempotency_key: as in `publish`.

        Raises:
            Error: INVALID_ARGUMENT: above 1 MiB. CANCELLED: this Publisher is closed.

        """
        return self._soon.add(_publishing.publish_request(event, idempotency_key))

    def flush(self, timeout: float | None = None) -> None:
        """Waits until all that was handed to `publish_soon` before has its outcome.

        Args:
            timeout: in seconds; None: no other than the events' own.

        Raises:
            Error: the first among the outcomes since the flush before.
            TimeoutError: there are events without an outcome; they go on.

        """
        self._soon.flush(timeout)

    def ask_clarification(
        self,
        session_id: str,
        question: str,
        *,
        clarification_id: str | None = None,
        time_limit: Seconds | None = None,
        default_response: str | None = None,
        timeout: float | None = None,
    ) -> AskClarificationResponse:
        """Puts a question to the session's human, and waits for how it ended.

        Re-attaches to the question after a drop, or a restart of control, however long that takes.

        Args:
            session_id: 1..128 of letters, digits, `. _ : -`.
            question: at most 16 KiB.
            clarification_id: as session_id; asking again with the same one re-attaches. None: one
                is made.
            time_limit: how long the question stays open, in seconds; 1 ms to 30 days. None: until
                the session ends.
            default_response: the answer that counts when `time_limit` passes; at most 16 KiB.
            timeout: how long this waits, in seconds; the question stays. None: until it has ended.

        Returns:
            Its status (ANSWERED, EXPIRED, CANCELLED), response and position.

        Raises:
            SessionEnded: the session has ended.
            Error: it was refused, or `timeout` has passed.

        """
        request = _publishing.ask_request(
            session_id, question, clarification_id, time_limit, default_response
        )
        response: AskClarificationResponse = self._call(
            "AskClarification", request, timeout, "timeout", attempt_timeout=None
        )
        return response

    def answer_clarification(self, session_id: str, clarification_id: str, response: str) -> None:
        """Answers a pending question in the human's place: this answer counts when it returns.

        Tried again while the outcome is unknown, for `publish_timeout` at most. Where an attempt
        before may have been the first, an answer that is the same is taken for it.

        Args:
            session_id: of the question.
            clarification_id: of the question.
            response: at most 16 KiB; may be empty.

        Raises:
            ClarificationEnded: something else has ended it: `winner`.
            Error: NOT_FOUND; or the outcome is unknown (`outcome_unknown`).

        """
        request = AnswerClarificationRequest(
            session_id=session_id, clarification_id=clarification_id, response=response
        )
        self._end_clarification("AnswerClarification", request)

    def cancel_clarification(self, session_id: str, clarification_id: str) -> None:
        """Withdraws a pending question; attempts and errors as of answer_clarification."""
        request = CancelClarificationRequest(
            session_id=session_id, clarification_id=clarification_id
        )
        self._end_clarification("CancelClarification", request)

    def get_session(self, session_id: str) -> Snapshot:
        """The session's state, folded from its events 1..N; for `call_timeout` at most.

        Raises:
            Error: NOT_FOUND: nobody has published to it.

        """
        request = GetSessionRequest(session_id=session_id)
        limit = self._settings.call_timeout
        response = self._call("GetSession", request, limit, "call_timeout")
        snapshot: Snapshot = response.snapshot
        return snapshot

    def list_sessions(self, page_size: int = 100, page_token: str = "") -> ListSessionsResponse:
        """The sessions there are, in order of their ids, a page at a time.

        Args:
            page_size: 1..1,000.
            page_token: next_page_token of the page before; empty: the first page.

        """
        request = ListSessionsRequest(page_size=page_size, page_token=page_token)
        limit = self._settings.call_timeout
        response: ListSessionsResponse = self._call("ListSessions", request, limit, "call_timeout")
        return response

    def close(self) -> None:
        """Waits for the outcome of what is in flight (`publish_timeout` at most), then disconnects.

        Calls of other threads end as CANCELLED. Closing again does nothing.

        Raises:
            Error: the first among the outcomes of publish_soon since the last flush.

        """
        self._soon.close()
        self._closed.set()
        self._line.close()
        error = self._soon.take_error()
        if error is not None:
            raise error

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Error:
            # What went wrong before is more to the point.
            if error is None:
                raise

    def _end_clarification(self, method: str, request: EndRequest) -> None:
        settings = self._settings
        attempts = Attempts(
            settings,
            time.monotonic(),
            settings.publish_timeout,
            "publish_timeout",
            settings.call_timeout,
        )
        try:
            self._caller.call(method, request, attempts)
        except ClarificationEnded as ended:
            # An attempt before it may have been the first.
            if not (attempts.outcome_unknown and _publishing.is_done_by(request, ended.winner)):
                raise

    def _call(
        self,
        method: str,
        request: Any,
        limit: float | None,
        limit_name: str,
        attempt_timeout: float | None = 0.0,
    ) -> Any:
        """Until it is done, or refused for good. `attempt_timeout`: 0: call_timeout; None: none."""
        if attempt_timeout == 0.0:
            attempt_timeout = self._settings.call_timeout
        attempts = Attempts(self._settings, time.monotonic(), limit, limit_name, attempt_timeout)
        return self._caller.call(method, request, attempts)
