"""Publisher and SessionStream for asyncio, with the same names; all else is sessioncast's."""

from sessioncast.aio._publisher import Publisher
from sessioncast.aio._stream import SessionStream

__all__ = ["Publisher", "SessionStream"]
