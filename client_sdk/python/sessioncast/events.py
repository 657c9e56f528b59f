"""Events, made from plain values. Fields, ranges and limits are those of event.proto.

Each function returns an Event to publish. What is out of its range is refused by control, with
INVALID_ARGUMENT and the field's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from google.protobuf.struct_pb2 import Struct

from sessioncast.v1 import event_pb2
from sessioncast.v1.event_pb2 import Event

Json = Mapping[str, Any]
ProgressStatus = Literal["ACTIVE", "PROCESSING", "COMPLETED", "FAILED"]
ResultStatus = Literal["processing", "completed", "failed"]


def _struct(fields: Json | None) -> Struct | None:
    if fields is None:
        return None
    struct = Struct()
    struct.update(dict(fields))
    return struct


def _one_of(word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ValueError(f"status: must be one of {', '.join(words)}, is {word!r}")
    return word.upper()


def progress(
    session_id: str,
    percent: float,
    *,
    status: ProgressStatus = "PROCESSING",
    result: Json | None = None,
) -> Event:
    """How far the work has come: `percent` 0..100. No status of it ends the session."""
    word = _one_of(status, ("ACTIVE", "PROCESSING", "COMPLETED", "FAILED"))
    return Event(
        session_id=session_id,
        progress=event_pb2.Progress(
            status=f"SESSION_STATUS_{word}",
            percent=percent,
            result=_struct(result),
        ),
    )


def model_result(
    session_id: str,
    model_name: str,
    result: str,
    *,
    status: ResultStatus = "completed",
    duration_ms: int = 0,
    provider: str | None = None,
    run_id: str | None = None,
    error: str | None = None,
) -> Event:
    """What one model has produced: the whole so far. `error`: why it failed; only with "failed".

    `run_id` tells results of one model for several prompts of a session apart.
    """
    word = _one_of(status, ("processing", "completed", "failed"))
    return Event(
        session_id=session_id,
        model_result=event_pb2.ModelResult(
            model_name=model_name,
            result=result,
            status=f"MODEL_RESULT_STATUS_{word}",
            duration_ms=duration_ms,
            provider=provider,
            run_id=run_id,
            error=error,
        ),
    )


def custom(session_id: str, name: str, data: Json | None = None) -> Event:
    """An event of your own, for example a token; browsers listen to `name`."""
    return Event(session_id=session_id, custom=event_pb2.Custom(name=name, data=_struct(data)))


def error(session_id: str, message: str, *, final: bool = False) -> Event:
    """Something went wrong; `final`: the session ends with it."""
    return Event(session_id=session_id, error=event_pb2.Error(message=message, final=final))


def completed(session_id: str, result: Json | None = None) -> Event:
    """The work is done; ends the session."""
    return Event(session_id=session_id, completed=event_pb2.Completed(result=_struct(result)))
