"""How control is reached; the same options as the C++ client's."""

from __future__ import annotations

import asyncio
import pathlib
import ssl
import threading
import weakref
from typing import Any

import grpc
import grpc.aio

from sessioncast.credentials import Credentials
from sessioncast.errors import Code, Error
from sessioncast.v1.session_service_pb2_grpc import SessionServiceStub

# From one look at the files of TLS to the next.
_LOOK_S = 1.0

# A control that vanished without a reset is noticed after 15 s at most.
_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),  # a snapshot is at most 3 MiB
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),  # what an attempt may take
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class _TlsFiles:
    """What is in the files of TLS. Raises OSError if one cannot be read at first."""

    def __init__(self, credentials: Credentials) -> None:
        self._files = (credentials.ca_file, credentials.key_file, credentials.cert_file)
        self._read = self._read_all()

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(*self._read)

    def look(self) -> bool:
        """Whether there is something else in them, which may be used."""
        try:
            read = self._read_all()
            if read == self._read or not self._fit() or read != self._read_all():
                return False
        except OSError:
            return False
        self._read = read
        return True

    def _read_all(self) -> list[bytes | None]:
        return [None if file is None else pathlib.Path(file).read_bytes() for file in self._files]

    def _fit(self) -> bool:
        """A key is replaced before its certificate, or behind it."""
        ca, key, certificate = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(ca)
            if certificate is not None:
                context.load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, ValueError):
            return False
        return True


def replaced_error() -> Error:
    """The files of TLS were replaced, and so was the connection over which a call was made."""
    return Error(Code.CANCELLED, "the connection was replaced, as its certificates were", True)


class Line:
    """A connection to control at HOST:PORT, which may be away.

    Another one is made when the files of TLS are replaced; what is under way then ends as
    CANCELLED. Raises OSError if a file cannot be read at first.

    Threads: any.
    """

    def __init__(self, control: str, credentials: Credentials) -> None:
        self._control = control
        self._tls = None if credentials.ca_file is None else _TlsFiles(credentials)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.channel: grpc.Channel
        self.stub: Any
        self._connect()
        if self._tls is not None:
            looking = (weakref.ref(self), self._closed)
            threading.Thread(
                target=_look_after, args=looking, name="sessioncast_tls", daemon=True
            ).start()

    def _connect(self) -> None:
        if self._tls is None:
            channel = grpc.insecure_channel(self._control, _OPTIONS)
        else:
            channel = grpc.secure_channel(self._control, self._tls.credentials(), _OPTIONS)
        self.channel = channel
        self.stub = SessionServiceStub(channel)  # type: ignore[no-untyped-call]

    def look(self) -> None:
        if self._tls is None or not self._tls.look():
            return
        with self._lock:
            if self._closed.is_set():
                return
            old = self.channel
            self._connect()
        old.close()

    def close(self) -> None:
        """More than once: nothing."""
        with self._lock:
            self._closed.set()
            self.channel.close()


def _look_after(line_ref: weakref.ref[Line], closed: threading.Event) -> None:
    """Ends with the line, also with one that nobody closed."""
    while not closed.wait(_LOOK_S):
        line = line_ref()
        if line is None:
            return
        line.look()
        del line


class AioLine:
    """The same for the event loop that runs; all of it happens there."""

    def __init__(self, control: str, credentials: Credentials) -> None:
        self._control = control
        self._tls = None if credentials.ca_file is None else _TlsFiles(credentials)
        self.channel: grpc.aio.Channel
        self.stub: Any
        self._connect()
        self._looking: asyncio.Task[None] | None = None
        if self._tls is not None:
            self._looking = asyncio.get_running_loop().create_task(self._look(self._tls))

    def _connect(self) -> None:
        if self._tls is None:
            channel = grpc.aio.insecure_channel(self._control, _OPTIONS)
        else:
            channel = grpc.aio.secure_channel(self._control, self._tls.credentials(), _OPTIONS)
        self.channel = channel
        self.stub = SessionServiceStub(channel)  # type: ignore[no-untyped-call]

    async def _look(self, tls: _TlsFiles) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if await asyncio.to_thread(tls.look):
                old = self.channel
                self._connect()
                await old.close()

    async def close(self) -> None:
        """More than once: nothing."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await self.channel.close()
