"""Publish the live events of sessions, and read them; sessioncast.aio does the same for asyncio.

with sessioncast.Publisher("localhost:50051") as publisher:
publisher.publish(sessioncast.events.progress("job-1", 45))

for item in sessioncast.SessionStream("job-1", "localhost:50051"):
...
"""

from sessioncast import events
from sessioncast._pending import Published
from sessioncast._publisher import Publisher
from sessioncast._reading import Item, Resync
from sessioncast._stream import SessionStream
from sessioncast.credentials import Credentials
from sessioncast.errors import ClarificationEnded, Code, Error, SessionEnded
from sessioncast.v1.event_pb2 import (
    Clarification,
    ClarificationStatus,
    Event,
    ModelResult,
    ModelResultStatus,
    Position,
    Progress,
    SessionStatus,
)
from sessioncast.v1.session_service_pb2 import (
    AskClarificationResponse,
    ListSessionsResponse,
    SessionSummary,
    Snapshot,
)

__all__ = [
    "AskClarificationResponse",
    "Clarification",
    "ClarificationEnded",
    "ClarificationStatus",
    "Code",
    "Credentials",
    "Error",
    "Event",
    "Item",
    "ListSessionsResponse",
    "ModelResult",
    "ModelResultStatus",
    "Position",
    "Progress",
    "Published",
    "Publisher",
    "Resync",
    "SessionEnded",
    "SessionStatus",
    "SessionStream",
    "SessionSummary",
    "Snapshot",
    "events",
]
