"""Publisher and SessionStream for asyncio: the same names in the same order; everything else is sessioncast's."""

from sessioncast.aio._publisher import Publisher
from sessioncast.aio._stream import SessionStream

__all__ = ["Publisher", "SessionStream"]
