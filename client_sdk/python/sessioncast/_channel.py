"""How control is reached; the same options as the C++ client's."""

from __future__ import annotations

import pathlib

import grpc
import grpc.aio

from sessioncast.credentials import Credentials

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


def _tls(credentials: Credentials) -> grpc.ChannelCredentials | None:
    if credentials.ca_file is None:
        return None
    return grpc.ssl_channel_credentials(
        _read(credentials.ca_file), _read(credentials.key_file), _read(credentials.cert_file)
    )


def _read(file: str | None) -> bytes | None:
    return None if file is None else pathlib.Path(file).read_bytes()


def channel_to(control: str, credentials: Credentials) -> grpc.Channel:
    """To control at HOST:PORT, which may be away. Raises OSError if a file cannot be read."""
    tls = _tls(credentials)
    if tls is None:
        return grpc.insecure_channel(control, _OPTIONS)
    return grpc.secure_channel(control, tls, _OPTIONS)


def aio_channel_to(control: str, credentials: Credentials) -> grpc.aio.Channel:
    """The same for the event loop that runs."""
    tls = _tls(credentials)
    if tls is None:
        return grpc.aio.insecure_channel(control, _OPTIONS)
    return grpc.aio.secure_channel(control, tls, _OPTIONS)
