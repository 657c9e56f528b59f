"""What control asks for: TLS, a certificate of the client, a token."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import time

from sessioncast.errors import Code, Error

_LOOK_S = 2.0


@dataclasses.dataclass(frozen=True)
class Credentials:
    """Paths of files in PEM, and a token.

    The files may be replaced while they are used. Those of TLS are looked at once a second, and
    when they fit each other another connection is made with them; what is under way goes on over
    it, as after a drop. A token's is looked at before a call, when that was not done for 2 s.
    A call that outlasts its token goes on with the next one, if the file has it 2 s before.

    Attributes:
        ca_file: one of these certificates must have signed control's. None: plaintext.
        cert_file: the client's own certificate; with `key_file`, or neither.
        key_file: its private key.
        token_file: holds a token, as `sessioncast token` prints it. In plaintext whoever listens on
            the network can read it.
        token: the token itself, in place of a file.

    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    token_file: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file, key_file: both or none")
        if self.cert_file is not None and self.ca_file is None:
            raise ValueError("cert_file: needs ca_file, there is no certificate in plaintext")
        if self.token_file is not None and self.token is not None:
            raise ValueError("token_file, token: one of them")


class Token:
    """The token as it is now, for the metadata of a call. Threads: any."""

    def __init__(self, credentials: Credentials) -> None:
        self._file = credentials.token_file
        self._lock = threading.Lock()
        self._token = credentials.token or ""
        self._looked = float("-inf")

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Of the next call. Raises Error UNAVAILABLE if there is no token to read."""
        if self._file is not None:
            self._look(self._file)
        return (("authorization", f"Bearer {self._token}"),) if self._token else ()

    def _look(self, file: str) -> None:
        with self._lock:
            now = time.monotonic()
            if self._token and now - self._looked < _LOOK_S:
                return
            self._looked = now
            try:
                # What cannot be read leaves the token that was.
                self._token = pathlib.Path(file).read_text(encoding="utf-8").strip() or self._token
            except (OSError, UnicodeDecodeError) as error:
                if not self._token:
                    raise Error(Code.UNAVAILABLE, f"token_file: {error}") from error
            if not self._token:
                raise Error(Code.UNAVAILABLE, f"token_file: no token can be read in {file}")
