"""From the status of a gRPC call to an Error."""

from __future__ import annotations

from typing import Any

from sessioncast.errors import UNKNOWN_OUTCOMES, ClarificationEnded, Code, Error, SessionEnded
from sessioncast.v1.session_service_pb2 import ErrorDetail, Refusal, StatusDetails

_DETAILS = "grpc-status-details-bin"
_PUSHBACK = "grpc-retry-pushback-ms"


def is_retryable(error: Error) -> bool:
    """Whether the same call may be made again, with the same key."""
    return error.code in UNKNOWN_OUTCOMES or error.code == Code.RESOURCE_EXHAUSTED


def may_try_again(error: Error, pushback: float | None) -> bool:
    """Whether the same call may do better, by what `pushback_s` says too."""
    if pushback is not None and pushback < 0:
        return False
    if error.code == Code.UNAUTHENTICATED:
        # It has outlasted its token, and there may be another one; one that is refused has none.
        return pushback is not None
    return is_retryable(error)


def error_of(
    code: int, message: str, detail: ErrorDetail | None = None, outcome_unknown: bool = False
) -> Error:
    """The Error, of the class that fits it."""
    known = Code(code) if 0 <= code <= 16 else Code.UNKNOWN
    position = winner = None
    if detail is not None and detail.HasField("snapshot_position"):
        position = detail.snapshot_position
    if detail is not None and detail.HasField("winner"):
        winner = detail.winner
    kind = Error
    if known == Code.FAILED_PRECONDITION:
        kind = SessionEnded
    elif winner is not None:
        kind = ClarificationEnded
    return kind(known, message, outcome_unknown, position, winner)


def error_of_refusal(refusal: Refusal) -> Error:
    """Of one event of a stream."""
    return error_of(refusal.code, refusal.message, outcome_unknown=refusal.code == Code.UNAVAILABLE)


def error_of_call(call: Any) -> Error:
    """Of a call that failed: a grpc.RpcError of either API, or a call that has ended."""
    code = Code(call.code().value[0])
    return error_of(
        code, call.details() or "", _detail(call.trailing_metadata()), code in UNKNOWN_OUTCOMES
    )


def pushback_s(call: Any) -> float | None:
    """How long the server asks to wait before another attempt; negative: there may be none."""
    value = _last(call.trailing_metadata(), _PUSHBACK)
    try:
        return None if value is None else int(value) / 1000
    except ValueError:
        return None


def _last(metadata: Any, key: str) -> Any:
    found = None
    for name, value in metadata or ():
        if name == key:
            found = value
    return found


def _detail(metadata: Any) -> ErrorDetail | None:
    details = _last(metadata, _DETAILS)
    if details is None:
        return None
    try:
        for packed in StatusDetails.FromString(details).details:
            detail = ErrorDetail()
            if packed.Unpack(detail):
                return detail
    except Exception:  # what cannot be read says nothing; the code and the message stay
        return None
    return None
