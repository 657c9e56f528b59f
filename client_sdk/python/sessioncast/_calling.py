"""One unary call, attempted until it is done."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc

from sessioncast._attempts import Attempts, closed_error
from sessioncast._channel import Line, replaced_error
from sessioncast._status import error_of_call, pushback_s
from sessioncast.credentials import Token
from sessioncast.errors import Error


class Caller:
    """Makes the calls of one Publisher or SessionStream (`what`); any thread."""

    def __init__(self, what: str, line: Line, token: Token, closed: threading.Event) -> None:
        self._what = what
        self._line = line
        self._token = token
        self._closed = closed

    def call(
        self, method: str, request: Any, attempts: Attempts, *, wait_for_ready: bool | None = None
    ) -> Any:
        """Until it is done, or refused for good; CANCELLED once `closed` is set.

        `wait_for_ready`: of each attempt; None: as `attempts` has it.
        """
        while True:
            if self._closed.is_set():
                raise closed_error(self._what)
            pushback = None
            stub = self._line.stub
            try:
                return getattr(stub, method)(
                    request,
                    timeout=attempts.timeout(time.monotonic()),
                    metadata=self._token.metadata(),
                    wait_for_ready=attempts.wait_for_ready
                    if wait_for_ready is None
                    else wait_for_ready,
                )
            except grpc.RpcError as failure:
                error, pushback = error_of_call(failure), pushback_s(failure)
            except ValueError as failure:  # gRPC's word for a channel that was closed
                if self._closed.is_set():
                    raise closed_error(self._what) from failure
                if stub is self._line.stub:
                    raise
                error = replaced_error()
            except Error as failure:
                error = failure
            if self._closed.is_set():
                raise closed_error(self._what)
            self._closed.wait(attempts.failed(error, pushback, time.monotonic()))
