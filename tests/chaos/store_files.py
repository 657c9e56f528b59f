"""What the files of control's store hold, read from outside: which commit lies where in RocksDB's log, and the marker."""

import dataclasses
import shutil
import struct
import zlib

LOG_BLOCK_BYTES = 32768
LOG_HEAD_BYTES = 7  # checksum, size, type
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
COMMITS = b"\x01\x07COMMITS\x08"  # put last in each batch: the key and, after it, the number
MARKER_SLOT_BYTES = 512


@dataclasses.dataclass
class Record:
    """One commit in a log."""

    end: int  # offset of the byte after it
    commits: int


def _fragments(log):
    """(type, bytes, offset of the end) of each whole fragment."""
    at = 0
    while at + LOG_HEAD_BYTES <= len(log):
        left = LOG_BLOCK_BYTES - at % LOG_BLOCK_BYTES
        if left < LOG_HEAD_BYTES:
            at += left
            continue
        size, kind = struct.unpack_from("<HB", log, at + 4)
        end = at + LOG_HEAD_BYTES + size
        if kind not in (FULL, FIRST, MIDDLE, LAST) or end > len(log):
            return
        yield kind, log[at + LOG_HEAD_BYTES : end], end
        at = end


def records(log):
    """The commits in the bytes of a log, in order."""
    found, batch = [], b""
    for kind, data, end in _fragments(log):
        batch = data if kind in (FULL, FIRST) else batch + data
        if kind in (FULL, LAST) and batch[-17:-8] == COMMITS[1:]:
            found.append(Record(end, int.from_bytes(batch[-8:], "big")))
    return found


def logs(store):
    return sorted(path for path in store.glob("*.log") if path.stat().st_size)


def tables(store):
    return sorted(store.glob("*.sst"))


def commits_in_log(store):
    """The last commit that is in the store's logs, or 0."""
    found = [record.commits for log in logs(store) for record in records(log.read_bytes())]
    return max(found, default=0)


def marked(store):
    """The commits of which the marker tells, or 0."""
    data = (store / "commits.marker").read_bytes()
    slots = [struct.unpack_from("<QQ", data, at) for at in (0, MARKER_SLOT_BYTES)]
    return max((commits for commits, checksum in slots if checksum == _checksum(commits)), default=0)


def _checksum(commits):
    return ~zlib.crc32(struct.pack("<Q", commits)) & (1 << 64) - 1


def flip(path, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def put_back(copy, store):
    """The store is what the copy is, but keeps its marker."""
    for path in store.iterdir():
        if path.name != "commits.marker":
            path.unlink()
    for path in copy.iterdir():
        if path.name != "commits.marker":
            shutil.copy2(path, store)
