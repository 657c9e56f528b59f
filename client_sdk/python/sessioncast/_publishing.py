"""What the two publishers, sync and asyncio, have in common: their requests, checked."""

from __future__ import annotations

import datetime
import uuid
from typing import Union

from sessioncast._options import EVENT_BYTES_MAX
from sessioncast._pending import Published
from sessioncast.errors import Code, Error
from sessioncast.v1.event_pb2 import Clarification, ClarificationStatus, Event
from sessioncast.v1.session_service_pb2 import (
    AnswerClarificationRequest,
    AskClarificationRequest,
    CancelClarificationRequest,
    PublishEventRequest,
    PublishEventResponse,
)

Seconds = Union[float, datetime.timedelta]
EndRequest = Union[AnswerClarificationRequest, CancelClarificationRequest]


def publish_request(event: Event, idempotency_key: str | None) -> PublishEventRequest:
    """A copy of the event, with its key, which is made if there is none."""
    if not isinstance(event, Event):
        raise TypeError(f"event: must be an Event, is {type(event).__name__}")
    size = event.ByteSize()
    if size > EVENT_BYTES_MAX:
        # Control's connection would refuse the message, and with it those that go beside it.
        raise Error(
            Code.INVALID_ARGUMENT, f"event: at most {EVENT_BYTES_MAX} bytes, is {size} bytes"
        )
    return PublishEventRequest(event=event, idempotency_key=idempotency_key or str(uuid.uuid4()))


def published(response: PublishEventResponse) -> Published:
    """As the caller gets it."""
    return Published(response.position, response.duplicate)


def ask_request(
    session_id: str,
    question: str,
    clarification_id: str | None,
    time_limit: Seconds | None,
    default_response: str | None,
) -> AskClarificationRequest:
    """With an id, which is made if there is none: it is what asking again re-attaches by."""
    request = AskClarificationRequest(
        session_id=session_id,
        clarification_id=clarification_id or str(uuid.uuid4()),
        question=question,
    )
    if time_limit is not None:
        if not isinstance(time_limit, datetime.timedelta):
            time_limit = datetime.timedelta(seconds=time_limit)
        request.time_limit.FromTimedelta(time_limit)
    if default_response is not None:
        request.default_response = default_response
    return request


def is_done_by(request: EndRequest, winner: Clarification | None) -> bool:
    """Whether what ended the clarification is what the request asks for."""
    if winner is None:
        return False
    word = ClarificationStatus.Name(winner.status)
    if isinstance(request, CancelClarificationRequest):
        return word == "CLARIFICATION_STATUS_CANCELLED"
    return word == "CLARIFICATION_STATUS_ANSWERED" and winner.response == request.response
